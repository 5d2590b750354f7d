echo once >> /runs/unit
echo "run $(wc -l < /runs/unit)"
