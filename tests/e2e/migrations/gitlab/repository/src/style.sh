echo "two long lines"
exit 3
