#!/usr/bin/env bash
# The CUDA wing on a machine that has a GPU and nothing else: `stage` collects here what is needed
# there, `run` checks it there. docs/cuda.md says what the checks are.
set -euo pipefail

readonly exit_failed=1 exit_usage=2 exit_environment=4
readonly max_stage_kib=$((60 * 1024))
readonly prompts=("Write a poem on NVIDIA in the style of Shakespeare" "To be, or not to be")

usage() {
  cat <<'TXT'
Usage: gpu-check.sh stage DIR [--build BUILD]
       DIR/gpu-check.sh run [OUT]

  stage   copy the tests labelled gpu, the tools, their shared libraries, the demo model and this
          script to DIR (at most 60 MiB), from the build in BUILD (default: build/cuda)
  run     on the machine with the GPU: look at it, run the tests, and compare what nemo-generate
          writes on the GPU with what it writes on the processor. Writes gpu-check.txt and
          gpu-check.json to OUT (default: the current folder)

Needed there: bash, the NVIDIA driver, and a C library no older than the one of the build machine.

Exit codes: 0 done, and every check passed; 1 a check failed; 2 wrong usage;
            4 something that is needed is not there
TXT
}

say() { printf '%s\n' "$@"; }
die() { local code=$1; shift; printf 'gpu-check.sh: %s\n' "$*" >&2; exit "$code"; }
wrong_usage() { die "$exit_usage" "$1 (see gpu-check.sh --help)"; }
need() { [[ -e $1 ]] || die "$exit_environment" "$1 is not there: $2"; }

# ---- stage -------------------------------------------------------------------------------------

gpu_tests() { ctest --test-dir "$1" -N -L gpu | sed -n 's/^ *Test *#[0-9]*: *//p'; }

# What the programs load, but for the C library and the driver, which belong to the machine.
shared_libraries() {
  ldd "$@" | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u |
    grep -vE '/(ld-linux[^/]*|lib(c|m|dl|rt|pthread|resolv|util|cuda)\.so[^/]*)$'
}

copy_stripped() { strip --strip-debug -o "$2/${1##*/}" "$1"; }

stage() {
  local to=$1 build=$2 root name
  local -a programs tests libraries
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  need "$build/CTestTestfile.cmake" "name a configured build with --build"
  mapfile -t tests < <(gpu_tests "$build")
  ((${#tests[@]})) || die "$exit_environment" "the build in $build has no test labelled gpu: was it configured with CUDA?"
  mkdir -p "$to/bin" "$to/tests" "$to/lib" "$to/data"
  for name in "${tests[@]}"; do
    need "$build/tests/$name" "build it"
    copy_stripped "$build/tests/$name" "$to/tests"
  done
  need "$build/bin/nemo-generate" "build the target tools"
  programs=("$build"/bin/nemo-*)
  for name in "${programs[@]}"; do copy_stripped "$name" "$to/bin"; done
  mapfile -t libraries < <(shared_libraries "$to"/bin/* "$to"/tests/*)
  for name in "${libraries[@]}"; do copy_stripped "$name" "$to/lib"; done
  cp "$root/tests/data/shakespeare.nemo" "$to/data/"
  cp "$root/tools/gpu-check.sh" "$to/"
  report_stage "$to" "${#tests[@]}" "${#programs[@]}" "${#libraries[@]}"
}

report_stage() {
  local kib
  kib=$(du -sk "$1" | cut -f 1)
  say "$1: $2 test programs, $3 tools, $4 shared libraries, the demo model; $((kib / 1024)) MiB"
  ((kib <= max_stage_kib)) || die "$exit_failed" "that is more than $((max_stage_kib / 1024)) MiB"
}

# ---- run ---------------------------------------------------------------------------------------

json_text() { tr -d '\000-\037' <<<"$1" | sed -e 's/[\\"]/\\&/g' -e 's/.*/"&"/'; }

# step NAME COMMAND...: runs the command, keeps its output and notes how it ended.
step() {
  local name=$1 code=0 start=$SECONDS verdict=passed
  shift
  printf '\n== %s\n' "$name" >>"$log"
  "$@" >>"$log" 2>&1 || code=$?
  ((code == 0)) || { verdict="failed ($code)"; failures=$((failures + 1)); }
  say "$(printf '%-40s %s' "$name" "$verdict")"
  steps+=("{\"name\": $(json_text "$name"), \"exit_code\": $code, \"seconds\": $((SECONDS - start))}")
}

ours() { LD_LIBRARY_PATH=$here/lib "$@"; }

# A test that skips for want of a device has not passed where nvidia-smi sees one.
device_test() {
  local output code=0
  output=$(ours "$1" --gtest_color=no 2>&1) || code=$?
  printf '%s\n' "$output"
  ((code == 0)) || return "$code"
  ! grep -q '^no CUDA device' <<<"$output"
}

# The tokens and log-probabilities of a run, without its times.
answer() {
  local backend=$1 json
  shift
  json=$(ours "$here/bin/nemo-generate" "$here/data/shakespeare.nemo" --backend "$backend" --json \
    --logprobs --tokens-to-generate 64 "$@") || return
  tr -d ' \n' <<<"$json" | grep -o '"token_ids":.*,"offsets"'
}

same_answers() {
  local cpu cuda
  cpu=$(answer cpu "$@") || return
  cuda=$(answer cuda "$@") || return
  say "cpu:  $cpu" "cuda: $cuda"
  if [[ ${cpu%%\"logprob\"*} != "${cuda%%\"logprob\"*}" ]]; then
    say "the tokens differ"
    return 1
  fi
  [[ $cpu == "$cuda" ]] || { say "the tokens agree, the log-probabilities differ"; return 1; }
}

write_json() {
  local IFS=,
  printf '{"device": %s, "passed": %s, "steps": [%s]}\n' "$(json_text "$device")" \
    "$( ((failures == 0)) && echo true || echo false)" "${steps[*]}" >"$1"
}

run() {
  local out=$1 device failures=0 test prompt log steps=()
  local -a prompt_flags=()
  need "$here/lib" "run the copy of this script that stage made"
  mkdir -p "$out"
  log=$out/gpu-check.txt
  device=$(nvidia-smi --query-gpu=name,compute_cap,memory.total,driver_version \
    --format=csv,noheader 2>&1) || die "$exit_environment" "nvidia-smi finds no GPU: $device"
  say "$device" | tee "$log"
  nvidia-smi >>"$log" 2>&1 || true
  for test in "$here"/tests/*; do step "${test##*/}" device_test "$test"; done
  for prompt in "${prompts[@]}"; do prompt_flags+=(--prompt "$prompt"); done
  step "greedy, as on the processor" same_answers "${prompt_flags[@]}" --greedy
  step "sampled, as on the processor" same_answers "${prompt_flags[@]}" --temperature 0.8 --top-k 40 --seed 1
  step "two ranks, as on the processor" same_answers "${prompt_flags[@]}" --greedy --tp 2
  write_json "$out/gpu-check.json"
  say "$failures of ${#steps[@]} checks failed; details in $log"
  ((failures == 0)) || exit "$exit_failed"
}

# ---- arguments ---------------------------------------------------------------------------------

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case ${1:-} in
  -h | --help) usage ;;
  stage)
    build=build/cuda
    (($# == 2 || $# == 4)) || wrong_usage "stage takes a folder and at most --build BUILD"
    if (($# == 4)); then
      [[ $3 == --build ]] || wrong_usage "unknown argument '$3'"
      build=$4
    fi
    stage "$2" "$build" ;;
  run)
    (($# <= 2)) || wrong_usage "run takes at most one folder"
    run "${2:-.}" ;;
  *) wrong_usage "the commands are stage and run" ;;
esac
