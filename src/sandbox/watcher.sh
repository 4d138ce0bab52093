# Outlives midwatch for a moment: when our end of its standard input closes without `bye`, midwatch was
# killed, and the server and its directory must go. $1 directory, $2 remove|empty.
trap '' HUP INT TERM
pid=
while read -r word arg; do
  case $word in
    server) pid=$arg ;;
    bye) exit 0 ;;
  esac
done
alive() {
  [ -n "$pid" ] && [ -e "$1/data/postmaster.pid" ] && kill -0 "$pid" 2>/dev/null
}
for signal in INT QUIT KILL; do
  alive "$1" || break
  kill "-$signal" "$pid" 2>/dev/null
  left=100
  while [ "$left" -gt 0 ] && alive "$1"; do
    sleep 0.05
    left=$((left - 1))
  done
done
find "$1" -mindepth 1 ! -path "$1/.midwatch-sandbox" -delete 2>/dev/null
rm -f "$1/.midwatch-sandbox"
[ "$2" = empty ] || rm -rf "$1"
