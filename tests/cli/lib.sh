# Functions of the command-line cases; bash loads this file before each script.
[[ $- == *u* ]] && set -o pipefail

# Shows a command, runs it, shows its exit code. Goes on whatever the code.
run() {
  printf '$ %s\n' "$*"
  local code=0
  "$@" || code=$?
  printf 'exit %d\n' "$code"
}

# Takes out what differs from run to run.
mask() {
  sed -E -e 's/^(time +).*/\1.../' -e 's/^(memory +peak ).*/\1.../' \
    -e 's/("(seconds|gigabytes_per_second|(peak_|planned_|available_)?memory_bytes|free_bytes)": )[-+.e0-9]+/\1.../' \
    -e 's/[0-9.]+ [kMGT]?B free$/... free/' -e 's/^(memory +)[0-9.]+ [kMGT]?B of buffers, [0-9.]+ [kMGT]?B available/\1... of buffers, ... available/'
}

# flip FILE OFFSET: inverts one byte in place.
flip() {
  local byte
  byte=$(od -An -tu1 -j "$2" -N 1 "$1")
  printf '%b' "\\x$(printf %x $((byte ^ 255)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# kill_on_the_way COMMAND...: a conversion to `shards`, killed as soon as three tensors are noted;
# tried again where the run was quicker than the look.
kill_on_the_way() {
  local pid lines
  for _ in $(seq 50); do
    "$@" >/dev/null 2>&1 &
    pid=$!
    while kill -0 $pid 2>/dev/null; do
      lines=$({ wc -l <shards.journal; } 2>/dev/null) && ((lines > 3)) && break
    done
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    [[ -e shards ]] || return 0
    rm -r shards
  done
}
