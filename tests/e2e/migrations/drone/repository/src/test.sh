. /deps/join.sh
test "$(join a b)" = "a, b"
