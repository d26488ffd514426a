#!/usr/bin/env bash
# Builds one commit twice, in folders of different names, and compares the bytes of what came out (docs/packaging.md).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly exit_different=1 exit_usage=2 exit_environment=4

commit=HEAD jobs=$(nproc) targets=() packages=yes

usage() {
  cat <<'TXT'
Usage: tools/check-reproducible.sh [--commit C] [--jobs N] [TARGET...]

Builds TARGETs (default: all tools, and the Debian packages) of a commit twice, without a compiler cache, below
$TMPDIR, and compares executables and packages byte for byte.

  --commit C   which commit (default: HEAD)
  --jobs N     parallel compilations (default: one per core)

Exit codes: 0 the same bytes; 1 they differ; 2 wrong usage; 4 a build failed
TXT
}
complain() { printf 'check-reproducible.sh: %s\n' "$*" >&2; }

while (($#)); do
  case $1 in
    --commit | --jobs)
      (($# > 1)) || { complain "$1 needs a value"; exit "$exit_usage"; }
      if [[ $1 == --commit ]]; then commit=$2; else jobs=$2; fi
      shift ;;
    -h | --help) usage; exit 0 ;;
    -*) complain "unknown argument '$1' (see --help)"; exit "$exit_usage" ;;
    *) targets+=("$1") packages=no ;;
  esac
  shift
done
((${#targets[@]})) || targets=(tools)
commit=$(git rev-parse --short=12 --verify --quiet "$commit^{commit}") || { complain "no such commit"; exit "$exit_usage"; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A cache would answer with what another folder compiled.
unset CMAKE_C_COMPILER_LAUNCHER CMAKE_CXX_COMPILER_LAUNCHER CMAKE_CUDA_COMPILER_LAUNCHER
export CCACHE_DISABLE=1
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct "$commit")
export SOURCE_DATE_EPOCH

# build FOLDER: the commit in $work/FOLDER, and what came out of it in $work/FOLDER/out.
build() {
  local source=$work/$1 log=$work/$1.log
  mkdir -p "$source/out"
  git archive "$commit" | tar x -C "$source"
  {
    cmake -S "$source" --preset cpu -DNEMO_CUDA=OFF -DBUILD_TESTING=OFF -DNEMO_COMMIT="$commit" &&
      cmake --build "$source/build/cpu" -j "$jobs" --target "${targets[@]}" &&
      cp "$source"/build/cpu/bin/* "$source/out/"
  } >"$log" 2>&1 || { tail -n 20 "$log" >&2; complain "the build in $1 failed"; exit "$exit_environment"; }
  [[ $packages == no ]] || {
    cmake --build "$source/build/cpu" -j "$jobs" && (cd "$source/build/cpu" && cpack && cp ./*.deb "$source/out/")
  } >"$log" 2>&1 || { tail -n 20 "$log" >&2; complain "the packages in $1 were not made"; exit "$exit_environment"; }
}

build one
build another-folder-with-a-longer-name
(cd "$work/one/out" && sha256sum -- *) >"$work/sums"
cat "$work/sums"
(cd "$work/another-folder-with-a-longer-name/out" && sha256sum --quiet --strict -c "$work/sums") ||
  { complain "the builds differ"; exit "$exit_different"; }
printf '%d files, the same bytes twice (commit %s)\n' "$(wc -l <"$work/sums")" "$commit"
