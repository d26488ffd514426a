#!/usr/bin/env bash
# What cmake/nemo_hardening.cmake promises of each executable and plug-in, as readelf sees it. hardening_test.sh FILE...
set -euo pipefail
export LC_ALL=C
failed=0
complain() { printf '%s: %s\n' "$1" "$2" >&2; failed=1; }

# check FILE: position-independent, tables of the linker read-only from the start, no stack that can be executed.
check() {
  local file=$1 headers dynamic
  headers=$(readelf -Wh -Wl "$file")
  dynamic=$(readelf -Wd "$file")
  grep -q 'Type: *DYN' <<<"$headers" || complain "$file" "no position-independent executable (-pie)"
  grep -q 'GNU_RELRO' <<<"$headers" || complain "$file" "no read-only relocations (-z relro)"
  grep -Eq 'BIND_NOW|FLAGS_1.*NOW' <<<"$dynamic" || complain "$file" "bound lazily (-z now)"
  grep 'GNU_STACK' <<<"$headers" | grep -Eq ' RW +0x' || complain "$file" "its stack can be executed (-z noexecstack)"
  grep -q 'TEXTREL' <<<"$dynamic" && complain "$file" "its code is relocated"
  return 0
}

# check_code FILE: what the compiler puts into functions; a small plug-in may have no place for it.
check_code() {
  local file=$1 symbols
  symbols=$(readelf -W --dyn-syms "$file")
  grep -q '__stack_chk_fail' <<<"$symbols" || complain "$file" "no canaries (-fstack-protector-strong)"
  grep -Eq '__[a-z]+_chk@' <<<"$symbols" || complain "$file" "no checked functions of the C library (-D_FORTIFY_SOURCE)"
}

for file; do
  check "$file"
  [[ $file == *.so ]] || check_code "$file"
done
(($# > 0)) || { echo 'hardening_test.sh: no file' >&2; exit 2; }
exit "$failed"
