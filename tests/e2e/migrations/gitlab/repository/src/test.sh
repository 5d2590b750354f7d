echo "testing $1"
if grep -q "hello, world" "$1"; then
    echo "1 of 1 passed"
else
    echo "0 of 1 passed"
    exit 1
fi
