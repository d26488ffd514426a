#!/usr/bin/env bash
# Runs one command-line case and compares what it printed; see README.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$(cd "$1" && pwd)
case_path=$here/cases/$2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/run"
ln -s "$here/../golden" "$work/run/golden"
ln -s "$here/../data" "$work/run/data"

# A fixed surrounding: no colours, no inherited ranks, messages in one language.
export PATH=$bin:$PATH LC_ALL=C.UTF-8 NO_COLOR=1 BASH_ENV=$here/lib.sh
NEMO_DOCS=$(cd "$here/../../docs" && pwd)
export NEMO_DOCS # for what documents say of the tools
for name in $(compgen -e); do
  case $name in OMPI_* | PMIX_* | PMI_* | SLURM_*) unset "$name" ;; esac
done

code=0
(cd "$work/run" && bash -u "$case_path.sh") >"$work/out" 2>"$work/err" </dev/null || code=$?
echo "$code" >"$work/code"

failed=0
for kind in out err code; do
  expected=$case_path.$kind
  if [[ ! -e $expected ]]; then
    expected=$work/expected
    if [[ $kind == code ]]; then echo 0; fi >"$expected"
  fi
  if [[ ${NEMO_UPDATE:-} ]]; then
    rm -f "$case_path.$kind"
    if [[ $kind == code ]]; then
      if ((code != 0)); then cp "$work/code" "$case_path.code"; fi
    elif [[ -s $work/$kind ]]; then
      cp "$work/$kind" "$case_path.$kind"
    fi
  elif ! diff -u --label "expected $kind" --label "$kind" "$expected" "$work/$kind"; then
    failed=1
  fi
done
exit $failed
