case $1 in
    up) sort -c /build/words ;;
    down) test "$(sort -r /build/words | tail -n 1)" = apple ;;
esac || {
    echo "the order $1 is wrong"
    exit 1
}
echo "the order $1 is right"
