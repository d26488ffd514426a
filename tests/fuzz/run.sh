#!/usr/bin/env bash
# Builds the libFuzzer executables (preset fuzz, clang), runs each for its share of the time, keeps
# what found new code in tests/golden/fuzz, and prints what happened. docs/fuzzing.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly build=build/fuzz corpora=tests/golden/fuzz
readonly exit_finding=1 exit_usage=2 exit_environment=4
readonly memory_mib=1024 allocation_mib=256 input_seconds=10  # of one process, call, input
readonly max_new_files=12 max_new_bytes=2048 max_corpus_bytes=1000000

seconds=3600 jobs=1 logs=$build/fuzz-logs targets=() keep=yes

usage() {
  cat <<'TXT'
Usage: tests/fuzz/run.sh [--seconds N] [--jobs N] [--logs FOLDER] [--no-keep] [TARGET...]

Fuzzes every target (or those named) under AddressSanitizer and UndefinedBehaviorSanitizer.

  --seconds N     time of all targets together (default: 3600)
  --jobs N        targets at the same time (default: 1)
  --logs FOLDER   logs and reproducers (default: build/fuzz/fuzz-logs)
  --no-keep       leave tests/golden/fuzz as it is

Exit codes: 0 no finding; 1 a finding (its reproducer is in FOLDER); 2 wrong usage;
            4 clang is missing or the build failed
TXT
}
complain() { printf 'run.sh: %s\n' "$*" >&2; }

parse_arguments() {
  while (($#)); do
    case $1 in
      --seconds | --jobs | --logs)
        (($# > 1)) || { complain "$1 needs a value"; exit "$exit_usage"; }
        [[ $1 == --logs || $2 =~ ^[1-9][0-9]{0,6}$ ]] || { complain "$1 takes a number from 1, not '$2'"; exit "$exit_usage"; }
        case $1 in --seconds) seconds=$2 ;; --jobs) jobs=$2 ;; --logs) logs=$2 ;; esac
        shift ;;
      --no-keep) keep=no ;;
      -h | --help) usage; exit 0 ;;
      -*) complain "unknown argument '$1' (see --help)"; exit "$exit_usage" ;;
      *) targets+=("$1") ;;
    esac
    shift
  done
}

all_targets() {
  local file
  for file in tests/fuzz/*_fuzz.cc; do basename "$file" _fuzz.cc; done
}

build_fuzzers() {
  command -v clang++ >/dev/null || { complain "clang++ is missing: apt-get install clang"; exit "$exit_environment"; }
  { cmake --preset fuzz && cmake --build $build --target fuzzers; } >"$logs/build.log" 2>&1 ||
    { complain "the build failed: $logs/build.log"; exit "$exit_environment"; }
}

# Fuzzes $1 for $2 seconds; reproducers are called NAME-crash-..., NAME-oom-... and the like.
fuzz() {
  mkdir -p "$build/corpus/$1"
  "$build/fuzz/$1_fuzzer" -max_total_time="$2" -rss_limit_mb=$memory_mib -malloc_limit_mb=$allocation_mib \
    -timeout=$input_seconds -max_len=65536 -print_final_stats=1 -artifact_prefix="$logs/$1-" \
    "$build/corpus/$1" "$corpora/$1" >"$logs/$1.log" 2>&1 || true
}

# Adds to the corpus of $1 the smallest of the inputs that reach what it does not reach.
keep_new() {
  local chosen=$build/chosen/$1 file count=0
  rm -rf "$chosen" && mkdir -p "$chosen"
  cp "$corpora/$1"/* "$chosen"
  "$build/fuzz/$1_fuzzer" -merge=1 -rss_limit_mb=$memory_mib "$chosen" "$build/corpus/$1" >"$logs/$1.merge.log" 2>&1 || return 0
  while read -r file; do
    [[ ! -e $corpora/$1/${file##*/} ]] || continue
    ((++count <= max_new_files)) || break
    (($(cat "$corpora"/*/* | wc -c) < max_corpus_bytes)) || break
    cp "$file" "$corpora/$1/"
  done < <(find "$chosen" -type f -size "-${max_new_bytes}c" -printf '%s %p\n' | sort -n | cut -d' ' -f2-)
}

run_all() {
  local target share=$((seconds / ${#targets[@]}))
  ((share > 0)) || share=1
  for target in "${targets[@]}"; do
    while (($(jobs -rp | wc -l) >= jobs)); do wait -n || true; done
    fuzz "$target" "$share" &
  done
  wait
}

last_number() { grep -oE "$1[^0-9]*[0-9]+" "$2" | tail -1 | grep -oE '[0-9]+$' || echo 0; }

# One line per target; counts the findings of all.
print_table() {
  local target log found total=0
  printf '%-20s %12s %9s %9s\n' target executions coverage findings
  for target in "${targets[@]}"; do
    log=$logs/$target.log
    found=$(find "$logs" -maxdepth 1 -name "$target-*" | wc -l)
    grep -q 'stat::number_of_executed_units' "$log" || ((found)) || found=1  # died in another way
    printf '%-20s %12s %9s %9s\n' "$target" "$(last_number number_of_executed_units: "$log")" "$(last_number 'cov: ' "$log")" "$found"
    total=$((total + found))
  done
  findings=$total
}

parse_arguments "$@"
((${#targets[@]})) || mapfile -t targets < <(all_targets)
for target in "${targets[@]}"; do
  [[ -f tests/fuzz/${target}_fuzz.cc ]] || { complain "no target '$target'; there are: $(all_targets | xargs)"; exit "$exit_usage"; }
done
mkdir -p "$logs"
[[ ! -w /dev/shm ]] || export TMPDIR=/dev/shm  # many small files, which need no disk
build_fuzzers
run_all
if [[ $keep == yes ]]; then
  for target in "${targets[@]}"; do keep_new "$target"; done
fi
print_table
((findings == 0)) || exit "$exit_finding"
