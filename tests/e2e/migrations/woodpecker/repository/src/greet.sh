. vendor/join.sh
join "$GREETING" "$(cat src/name)"
