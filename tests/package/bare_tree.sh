#!/usr/bin/env bash
# The Debian packages in a Debian that has nothing else: installed by apt, the tools convert, prove, generate and serve the
# demo model there, man pages and completions work. With --dev also the dev package: a project of somebody else is built in the tree.
#
#   sudo tests/package/bare_tree.sh [--dev] DEBS TREE
#
# DEBS: the folder that cpack wrote the packages to. TREE: a bare tree, which is changed; where nothing is, debootstrap makes one of
# NEMO_DEBIAN_SUITE (bookworm) from NEMO_DEBIAN_MIRROR (the first Debian archive of this machine's apt). It is not removed.
# Not part of ctest: it needs root, an archive to install from and some minutes.
# shellcheck disable=SC2016  # what stands in single quotes is for the shells in the tree
set -euo pipefail
fail() { printf 'bare_tree: %s\n' "$*" >&2; exit 1; }
with_dev=no
if [[ ${1:-} == --dev ]]; then with_dev=yes; shift; fi
(($# == 2)) || fail "usage: bare_tree.sh [--dev] DEBS TREE"
debs=$(realpath "$1") tree=$(realpath -m "$2")
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
((EUID == 0)) || fail "chroot wants root"
[[ $tree != / ]] || fail "TREE is this machine itself"
main=("$debs"/nemotron-toolkit_*.deb) dev=("$debs"/nemotron-toolkit-dev_*.deb)
[[ -e ${main[0]} && -e ${dev[0]} ]] || fail "$debs: not the two packages that cpack makes"

# This machine's archive: of deb822 files, and of the older one-line form.
host_mirror() {
  cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | awk '
    $1 == "URIs:" && $2 ~ /debian\/?$/ { print $2; exit }
    $1 == "deb" { for (i = 2; i <= NF; ++i) if ($i ~ /^[a-z]+:.*debian\/?$/) { print $i; exit } }'
}

if [[ ! -e $tree ]]; then
  mirror=${NEMO_DEBIAN_MIRROR:-$(host_mirror)}
  [[ -n $mirror ]] || fail "no Debian archive in this machine's apt sources; set NEMO_DEBIAN_MIRROR"
  echo "debootstrap --variant=minbase: a bare ${NEMO_DEBIAN_SUITE:=bookworm}"
  debootstrap --variant=minbase "$NEMO_DEBIAN_SUITE" "$tree" "$mirror" >"$tree.log" 2>&1 || { tail "$tree.log"; fail "debootstrap"; }
fi
[[ -x $tree/usr/bin/apt-get ]] || fail "$tree: no Debian tree"

server="" said=$(mktemp)
finish() {
  if [[ -n $server ]]; then kill "$server" 2>/dev/null || true; fi
  rm -f "$said"
}
trap finish EXIT

# inside COMMAND...: in the tree, with /proc and /dev for as long as the command runs. The shell stays the same process.
inside() {
  exec unshare --mount --propagation private -- bash -c '
    tree=$1; shift
    mount -t proc proc "$tree/proc" && mount --rbind /dev "$tree/dev" || exit 1
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive chroot "$tree" "$@"
  ' inside "$tree" "$@"
}
# show COMMAND...: a command as it is typed in the tree, and what it prints.
show() { printf '\n# %s\n' "$*"; (inside "$@"); }
# quietly COMMAND...: the same; what it prints is shown when it fails.
quietly() {
  printf '\n# %s\n' "$*"
  (inside "$@") >"$said" 2>&1 || { tail -n 30 "$said"; fail "$*"; }
}

cp /etc/resolv.conf "$tree/etc/resolv.conf"
rm -rf "$tree/try"
mkdir "$tree/try"
cp "${main[0]}" "${dev[0]}" "$source_dir/tests/data/shakespeare.nemo" "$tree/try"
main_name=/try/$(basename "${main[0]}") dev_name=/try/$(basename "${dev[0]}")
show sh -c '. /etc/os-release; echo "$PRETTY_NAME: $(dpkg-query -W | wc -l) packages"'

quietly apt-get update
quietly apt-get install -y --no-install-recommends --reinstall "$main_name"
grep -E 'newly installed|After this' "$said" || true
show nemo-convert --version
show nemo-convert /try/shakespeare.nemo /try/shards --tp 2 --pp 2
show nemo-validate /try/shards /try/shakespeare.nemo
show nemo-generate /try/shards --tp 2 --pp 2 --prompt "To be, or not to be" --greedy --tokens-to-generate 24
show nemo-inspect /usr/share/nemotron-toolkit/configs/models/nemotron4-340b.yaml --plan --gpus 16 | tail -n 6

printf '\n# nemo-generate /try/shakespeare.nemo --serve --port 0\n'
inside nemo-generate /try/shakespeare.nemo --serve --port 0 >"$said" 2>&1 &
server=$!
for _ in $(seq 600); do
  url=$(sed -n 's/.*listening on \(http[^ ]*\).*/\1/p' "$said")
  [[ -z $url ]] || break
  kill -0 "$server" 2>/dev/null || { cat "$said"; fail "the server ended"; }
  sleep 0.1
done
[[ -n $url ]] || fail "the server does not listen"
request='{"sentences": ["To be, or not to be"], "tokens_to_generate": 24, "greedy": true}'
printf "$ curl -X PUT http://127.0.0.1:PORT/generate -H 'Content-Type: application/json' -d '%s'\n" "$request"
answer=$(curl -sS --fail-with-body --noproxy '*' -X PUT "$url/generate" -H 'Content-Type: application/json' -d "$request") || fail "curl: $answer"
printf '%.240s...\n' "$answer"
[[ $answer == *'"sentences"'*'To be, or not to be'* ]] || fail "no sentences in the answer"
kill "$server"
code=0
wait "$server" || code=$?
server=""
((code == 143)) || fail "the server ended with $code after SIGTERM, not with 143"
echo "the server ended with $code after SIGTERM"

quietly apt-get install -y --no-install-recommends man-db bash-completion
show sh -c 'MANWIDTH=100 man nemo-convert | head -n 8'
show bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader nemo-convert; COMP_WORDS=(nemo-convert --pipe) COMP_CWORD=1
  COMP_LINE="nemo-convert --pipe" COMP_POINT=19; $(complete -p nemo-convert | sed "s/.*-F \([^ ]*\).*/\1/") nemo-convert --pipe nemo-convert
  echo "nemo-convert --pipe<TAB>: ${COMPREPLY[*]}"; ((${#COMPREPLY[@]}))'
for tool in nemo-convert nemo-reshard nemo-validate nemo-inspect nemo-generate nemo-eval nemo-bench; do
  for file in "man/man1/$tool.1" "bash-completion/completions/$tool" "zsh/vendor-completions/_$tool" "fish/vendor_completions.d/$tool.fish"; do
    [[ -s $tree/usr/share/$file ]] || fail "/usr/share/$file is not in the tree"
  done
done
echo "a man page and the completions of bash, zsh and fish for each of the seven tools"

if [[ $with_dev == yes ]]; then
  cp -r "$source_dir/tests/package/consumer" "$tree/try/consumer"
  quietly apt-get install -y --no-install-recommends "$dev_name" g++ cmake make
  quietly cmake -S /try/consumer -B /try/consumer/build
  quietly cmake --build /try/consumer/build
  show /try/consumer/build/count_parameters /try/shakespeare.nemo
  quietly apt-get purge -y nemotron-toolkit-dev
fi
quietly apt-get purge -y nemotron-toolkit
left=$(find "$tree"/usr/bin "$tree"/usr/share -name 'nemo*' ! -path "*/doc/*" | head)
[[ -z $left ]] || fail "left behind: $left"
printf '\nbare tree: installed, converted, proved, generated, served, removed\n'
