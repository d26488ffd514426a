#!/usr/bin/env bash
# The CUDA wing on a machine that has a GPU and no package registry: `stage` collects here what is
# needed there, `run` checks it there. docs/cuda.md says what the checks are.
set -euo pipefail

readonly exit_failed=1 exit_usage=2 exit_environment=4
readonly staged_tools=(nemo-generate nemo-bench)
readonly max_stage_kib=$((60 * 1024))
readonly prompts=("Write a poem on NVIDIA in the style of Shakespeare" "To be, or not to be")

usage() {
  cat <<'TXT'
Usage: gpu-check.sh stage DIR [--build BUILD]
       DIR/gpu-check.sh run [OUT] [--quick]

  stage   copy the tests labelled gpu, nemo-generate, nemo-bench, their shared libraries, the demo
          model and this script to DIR (at most 60 MiB), from the build in BUILD (default:
          build/cuda)
  run     on the machine with the GPU: look at it, run the tests, some of them again under
          compute-sanitizer; compare what the model says on the GPU with what it says on the
          processor, with the reference backend, and with transformers; measure. Writes
          gpu-check.json, gpu-check.html and gpu-check.txt to OUT (default: the current folder).
          --quick measures nothing

Needed there: bash, the NVIDIA driver, and a C library no older than the one of the build machine.
Used where it is there: compute-sanitizer, cuBLASLt and NCCL (in the loader's path, in
/usr/local/cuda or in Python's packages), and a python3 with torch and transformers (or the one in
NEMO_TEST_PYTHON), of which torch is measured too.

Exit codes: 0 done, and every check passed; 1 a check failed; 2 wrong usage;
            4 something that is needed is not there: without a GPU, after all that goes without one
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

copy_stripped() { strip --strip-unneeded -o "$2/${1##*/}" "$1"; }

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
  for name in "${staged_tools[@]}" nemo-convert; do need "$build/bin/$name" "build the target tools"; done
  programs=("${staged_tools[@]/#/$build/bin/}")
  for name in "${programs[@]}"; do copy_stripped "$name" "$to/bin"; done
  mapfile -t libraries < <(shared_libraries "$to"/bin/* "$to"/tests/*)
  for name in "${libraries[@]}"; do copy_stripped "$name" "$to/lib"; done
  cp "$root"/configs/models/nemotron4-340b*.yaml "$to/data/"
  # In the format that transformers reads too.
  "$build/bin/nemo-convert" "$root/tests/data/shakespeare.nemo" "$to/data/shakespeare" --to hf --force -q
  cp "$root/tools/gpu-check.sh" "$root/tools/gpu-parity.py" "$root/tools/gpu-torch.py" "$to/"
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
html_text() { sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g'; }

readonly code_skipped=77 # a step's way to say that something it can do without is not there

# step NAME COMMAND...: runs the command, keeps its output and notes how it ended.
step() {
  local name=$1 code=0 start=$SECONDS verdict=passed
  shift
  printf '\n== %s\n' "$name" >>"$log"
  "$@" >"$step_log" 2>&1 || code=$?
  cat "$step_log" >>"$log"
  case $code in
    0) ;;
    "$code_skipped") verdict="skipped: $(tail -n 1 "$step_log")"; skipped=$((skipped + 1)) ;;
    *) verdict="failed ($code)"; failures=$((failures + 1)) ;;
  esac
  say "$(printf '%-44s %s' "$name" "$verdict")"
  steps+=("{\"name\": $(json_text "$name"), \"exit_code\": $code, \"verdict\": $(json_text "$verdict"), \"seconds\": $((SECONDS - start))}")
  rows+="<tr><td>$(html_text <<<"$name")</td><td>$(html_text <<<"$verdict")</td><td>$((SECONDS - start)) s</td></tr>"$'\n'
}

# Folders of the vendor's libraries that this machine has and the loader may not know.
vendor_folders() {
  local folder
  for folder in /usr/local/cuda/lib64 /usr/local/cuda/lib; do
    [[ -d $folder ]] && printf '%s:' "$folder"
  done
  "$python" - 2>/dev/null <<'PY' || true
import glob, os, sys
print(":".join(f for p in sys.path for f in glob.glob(os.path.join(p, "nvidia", "*", "lib"))), end="")
PY
}

# Ranks that share a device wait for each other on it, which the loading of a kernel must not meet.
ours() { CUDA_MODULE_LOADING=EAGER LD_LIBRARY_PATH=$here/lib:$vendor${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$@"; }

# Tests that skip for want of a device have not passed, whatever their exit code, and have failed
# where there is one.
device_test() {
  local code=0
  ours "$@" --gtest_color=no || code=$?
  ((code == 0)) || return "$code"
  grep -m 1 '^no CUDA device' "$step_log" >"$scratch/reason" || return 0
  cat "$scratch/reason"
  ((has_device)) && return 1
  return "$code_skipped"
}

sanitizer() {
  local tool=$1 program
  program=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null) ||
    { say "compute-sanitizer is not here"; return "$code_skipped"; }
  shift
  ours "$program" --tool "$tool" --error-exitcode 1 "$@"
}

# The tokens and log-probabilities of a run, without its times.
answer() {
  local json
  json=$(ours "$here/bin/nemo-generate" "$here/data/shakespeare" --json --logprobs --tokens-to-generate 64 "$@") || return
  tr -d ' \n' <<<"$json" | grep -o '"token_ids":.*,"offsets"'
}

same_answers() {
  local cpu cuda
  cpu=$(answer --backend cpu "$@") || return
  cuda=$(answer --backend cuda --deterministic "$@") || return
  say "cpu:  $cpu" "cuda: $cuda"
  if [[ ${cpu%%\"logprob\"*} != "${cuda%%\"logprob\"*}" ]]; then
    say "the tokens differ"
    return 1
  fi
  [[ $cpu == "$cuda" ]] || { say "the tokens agree, the log-probabilities differ"; return 1; }
}

# The default mode against the reference backend: rms of the difference of all logits.
close_logits() {
  ours "$here/bin/nemo-bench" model "$here/data/shakespeare" --backend cuda --check --check-tokens 32 -p 128 -n 4 -b 1,3 -r 1 --warm "$@"
}

parity() {
  "$python" -c 'import torch, transformers' || { say "$python has no torch and transformers"; return "$code_skipped"; }
  ours "$python" "$here/gpu-parity.py" "$here/bin/nemo-generate" "$here/data/shakespeare" --backend cuda
}

# bench NAME ARGUMENTS...: nemo-bench, its table for the page and its object for the JSON file.
bench() {
  local name=$1 file=$scratch/$1.jsonl
  shift
  ours "$here/bin/nemo-bench" "$@" --json-file "$file" || return
  pages+="<h2>$(html_text <<<"$name")</h2><pre>$(html_text <"$step_log")</pre>"$'\n'
  benches+=("\"$name\": [$(paste -s -d , "$file")]")
}

# The kernels' rows done by torch, in a report of their own that `compare` sets beside ours.
torch_rows() {
  local ours_file=$scratch/kernels.jsonl file=$scratch/torch.jsonl code=0
  [[ -s $ours_file ]] || { say "there is no report of the kernels to compare with"; return "$code_skipped"; }
  "$python" "$here/gpu-torch.py" "$ours_file" "$file" || code=$?
  ((code != exit_environment)) || return "$code_skipped" # it said what is missing
  ((code == 0)) || return "$code"
  benches+=("\"torch\": [$(paste -s -d , "$file")]")
  ours "$here/bin/nemo-bench" compare "$file" "$ours_file" || return
  pages+="<h2>torch (A) and ours (B)</h2><pre>$(html_text <"$step_log")</pre>"$'\n'
}

measure() {
  local model=$here/data/nemotron4-340b.yaml rank=$here/data/nemotron4-340b-tp8-rank.yaml
  step "bench: kernels of a TP8 rank of the 340B" bench kernels kernels --backend cuda --model "$model" --layout 8,2 --tokens 1,8,64,512 --max-seconds 2
  step "bench: torch beside the kernels" torch_rows
  step "bench: one layer of a TP8 rank of the 340B" bench layer model "$rank" --layers 1 --backend cuda -p 512 -n 32 -b 1,8,32 -r 3
  step "bench: between devices" bench devices collectives --backend cuda --ranks 2,8 --filter device -e 16MiB
  step "bench: the demo model" bench demo model "$here/data/shakespeare" --backend cuda -p 128 -n 64 -b 1,8 -r 3 --warm
  step "bench: disk" bench disk io "$scratch" --size 1GiB --backend cuda
}

write_reports() {
  local IFS=,
  printf '{"device": %s, "passed": %s, "skipped": %d, "steps": [%s], "benchmarks": {%s}}\n' "$(json_text "$device")" \
    "$( ((failures == 0 && has_device)) && echo true || echo false)" "$skipped" "${steps[*]}" "${benches[*]-}" >"$1.json"
  {
    printf '<!DOCTYPE html><meta charset="utf-8"><title>gpu-check</title><style>%s</style>\n' \
      'body{font:16px/1.5 sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}td{padding:0 1rem 0 0}pre{overflow-x:auto}'
    printf '<h1>gpu-check</h1><p>%s</p><table>\n%s</table>\n%s' "$(html_text <<<"$device")" "$rows" "$pages"
  } >"$1.html"
}

look_at_device() {
  if device=$(nvidia-smi --query-gpu=name,compute_cap,memory.total,driver_version --format=csv,noheader 2>&1); then
    nvidia-smi >>"$log" 2>&1 || true
    return 0
  fi
  command -v nvidia-smi >/dev/null || device="there is no nvidia-smi"
  device="none: ${device//$'\n'/ }"
  return 1
}

run() {
  local out=$1 quick=$2 device has_device=1 failures=0 skipped=0 test prompt log step_log scratch vendor rows="" pages="" steps=() benches=()
  local -a prompt_flags=()
  local -r python=${NEMO_TEST_PYTHON:-python3}
  need "$here/lib" "run the copy of this script that stage made"
  mkdir -p "$out"
  log=$out/gpu-check.txt
  scratch=$(mktemp -d "$out/gpu-check.XXXXXX")
  step_log=$scratch/step.txt
  vendor=$(vendor_folders)
  : >"$log"
  look_at_device || has_device=0
  say "device: $device" | tee -a "$log"
  for test in "$here"/tests/*; do step "${test##*/}" device_test "$test"; done
  if ((has_device)); then
    for test in memcheck racecheck synccheck; do
      step "compute-sanitizer $test" sanitizer "$test" "$here/tests/cuda_backend_test" \
        --gtest_filter='*Linear*:*Norm*:*Rope*:*HeadStats*:*Embed*:*ManySplits*'
    done
    for prompt in "${prompts[@]}"; do prompt_flags+=(--prompt "$prompt"); done
    step "greedy, the processor's bits" same_answers "${prompt_flags[@]}" --greedy
    step "sampled, the processor's bits" same_answers "${prompt_flags[@]}" --temperature 0.8 --top-k 40 --seed 1
    step "two ranks, the processor's bits" same_answers "${prompt_flags[@]}" --greedy --tp 2
    # By NCCL where there are two devices, otherwise through the host.
    step "two stages, the processor's bits" same_answers "${prompt_flags[@]}" --greedy --pp 2
    step "tensor cores, close to the reference" close_logits
    step "two ranks on tensor cores, close to it" close_logits --layout 2,1
    step "transformers' log-probabilities" parity
    [[ $quick ]] || measure
  fi
  write_reports "$out/gpu-check"
  rm -rf "$scratch"
  say "$failures of ${#steps[@]} checks failed, $skipped skipped; details in $log, $out/gpu-check.html"
  ((failures == 0)) || exit "$exit_failed"
  ((has_device)) || die "$exit_environment" "no GPU here ($device): what needs one was not checked"
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
    quick=""
    [[ ${*: -1} != --quick ]] || { quick=1; set -- "${@:1:$#-1}"; }
    (($# <= 2)) || wrong_usage "run takes at most one folder and --quick"
    run "${2:-.}" "$quick" ;;
  *) wrong_usage "the commands are stage and run" ;;
esac
