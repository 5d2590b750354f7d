case $1 in
    first) echo $(($2 / 2)) ;;
    second) echo $(($2 * 2)) ;;
esac
