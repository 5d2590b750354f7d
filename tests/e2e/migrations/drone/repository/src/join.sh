join() {
    echo "$1, $2"
}
