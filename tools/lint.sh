#!/usr/bin/env bash
# Static analysis of the tree: cppcheck over everything that is shipped (CI runs that), clang-tidy over what is named.
# docs/analysis.md says what each costs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly exit_findings=1 exit_usage=2 exit_environment=4
readonly suppressions=tests/house/cppcheck.txt

build=build/cpu jobs=$(nproc) command_name="" files=()

usage() {
  cat <<'TXT'
Usage: tools/lint.sh cppcheck|tidy [--build DIR] [--jobs N] [FILE...]

  cppcheck   likely bugs, costly copies, what is not portable: in libcore, formats, kernels and tools, or in the
             files named; exceptions stand, with their reasons, in tests/house/cppcheck.txt
  tidy       the checks of .clang-tidy, on the compile commands of a configured build: in libcore, formats, kernels,
             tools and tests, or in the files named; exceptions are NOLINT comments with a reason

  --build DIR   a configured build (default: build/cpu)
  --jobs N      files at the same time (default: one per core)

Exit codes: 0 clean; 1 findings; 2 wrong usage; 4 the program or the build is missing
TXT
}
complain() { printf 'lint.sh: %s\n' "$*" >&2; }
wrong_usage() { complain "$1 (see --help)"; exit "$exit_usage"; }
need() { command -v "$1" >/dev/null || { complain "$1 is missing: apt-get install $1"; exit "$exit_environment"; }; }

parse_arguments() {
  while (($#)); do
    case $1 in
      cppcheck | tidy)
        [[ -z $command_name ]] || wrong_usage "one command at a time"
        command_name=$1 ;;
      --build | --jobs)
        (($# > 1)) || wrong_usage "$1 needs a value"
        if [[ $1 == --build ]]; then build=$2; else jobs=$2; fi
        shift ;;
      -h | --help) usage; exit 0 ;;
      -*) wrong_usage "unknown argument '$1'" ;;
      *) files+=("$1") ;;
    esac
    shift
  done
  [[ -n $command_name ]] || wrong_usage "say what to run: cppcheck or tidy"
  [[ $jobs =~ ^[1-9][0-9]{0,2}$ ]] || wrong_usage "--jobs takes a number from 1, not '$jobs'"
}

# sources FOLDER...: the C++ sources below them.
sources() { find "$@" -name '*.cc' | sort; }

run_cppcheck() {
  need cppcheck
  ((${#files[@]})) || mapfile -t files < <(sources libcore formats kernels tools)
  cppcheck --quiet --std=c++20 --language=c++ -j "$jobs" --enable=warning,performance,portability --inline-suppr \
    --suppressions-list="$suppressions" --error-exitcode="$exit_findings" -I . "${files[@]}"
  printf 'cppcheck: %d files, clean\n' "${#files[@]}"
}

run_tidy() {
  need clang-tidy
  [[ -f $build/compile_commands.json ]] || { complain "no $build/compile_commands.json: cmake --preset cpu"; exit "$exit_environment"; }
  ((${#files[@]})) || mapfile -t files < <(sources libcore formats kernels tools tests)
  # What GCC knows and clang does not is no finding.
  printf '%s\0' "${files[@]}" | xargs -0 -n 1 -P "$jobs" clang-tidy -p "$build" --quiet --warnings-as-errors='*' \
    --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-ignored-optimization-argument 2>/dev/null ||
    { complain "findings"; exit "$exit_findings"; }
  printf 'clang-tidy: %d files, clean\n' "${#files[@]}"
}

parse_arguments "$@"
case $command_name in
  cppcheck) run_cppcheck ;;
  tidy) run_tidy ;;
esac
