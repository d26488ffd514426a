#!/usr/bin/env bash
# The build installed into a folder of its own, as a packager does it: the tools run from there, man
# pages and completions lie where shells look, and a project of somebody else finds and links the
# libraries. Where dpkg-dev and file are, CPack's Debian packages are made, unpacked and looked into.
# package_test.sh BUILD_DIR SOURCE_DIR CMAKE CPACK
set -euo pipefail
build=$1 source=$2 cmake=$3 cpack=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { printf 'package_test: %s\n' "$*" >&2; exit 1; }
tools=(nemo-convert nemo-reshard nemo-validate nemo-inspect nemo-generate nemo-eval nemo-bench)
demo=$source/tests/data/shakespeare.nemo

# check_tree PREFIX: what a user's folder must have.
check_tree() {
  local prefix=$1 tool file
  for tool in "${tools[@]}"; do
    for file in "bin/$tool" "share/man/man1/$tool.1" "share/bash-completion/completions/$tool" \
      "share/zsh/vendor-completions/_$tool" "share/fish/vendor_completions.d/$tool.fish"; do
      [[ -s $prefix/$file ]] || fail "$prefix/$file is missing or empty"
    done
    "$prefix/bin/$tool" --version | grep -q "^$tool [0-9]" || fail "$tool --version"
    cmp <("$prefix/bin/$tool" manual man) "$prefix/share/man/man1/$tool.1"
  done
  for file in configs/models/nemotron4-340b.yaml slurm/serve.sh; do
    [[ -s $prefix/share/nemotron-toolkit/$file ]] || fail "$file is missing"
  done
  "$prefix/bin/nemo-convert" "$demo" "$work/shards" --tp 2 --pp 2 --force --quiet >"$work/convert.txt"
  "$prefix/bin/nemo-validate" "$work/shards" "$demo" --quiet | grep -q '^equal: ' || fail "nemo-validate"
}

"$cmake" --install "$build" --prefix "$work/usr" >"$work/install.txt"
check_tree "$work/usr"
if grep -rqF "$source" "$work/usr/lib" --include='*.cmake'; then fail "a package file names the source folder"; fi

"$cmake" -S "$source/tests/package/consumer" -B "$work/consumer" -G Ninja -DCMAKE_PREFIX_PATH="$work/usr" >"$work/configure.txt" ||
  { cat "$work/configure.txt"; fail "the consumer was not configured"; }
"$cmake" --build "$work/consumer" >"$work/build.txt" || { cat "$work/build.txt"; fail "the consumer was not built"; }
counted=$("$work/consumer/count_parameters" "$demo" | head -1)
expected=$("$work/usr/bin/nemo-inspect" "$demo" --json | sed -n 's/^  "parameters": \([0-9]*\).*/\1 parameters/p')
[[ $counted == "$expected" ]] || fail "the consumer counts '$counted', nemo-inspect '$expected'"

for program in dpkg-deb dpkg-shlibdeps file; do
  if ! command -v "$program" >/dev/null; then
    echo "skipped half-way: no $program (Debian packages dpkg-dev and file), so no packages were made; the rest passed"
    exit 77
  fi
done
(cd "$work" && "$cpack" --config "$build/CPackConfig.cmake" -B "$work/deb" >"$work/cpack.txt") || { cat "$work/cpack.txt"; fail "cpack"; }
main=("$work"/deb/nemotron-toolkit_*.deb) dev=("$work"/deb/nemotron-toolkit-dev_*.deb)
[[ -e ${main[0]} && -e ${dev[0]} ]] || fail "cpack made $(ls "$work/deb")"
dpkg-deb -x "${main[0]}" "$work/root"
check_tree "$work/root/usr"
for package in libhdf5 libsentencepiece libyaml-cpp libzstd libpcre2 libc6; do
  dpkg-deb -f "${main[0]}" Depends | grep -q "$package" || fail "the package does not depend on $package"
done
[[ ! -e $work/root/usr/include ]] || fail "headers are in the package of the tools"
dpkg-deb -c "${dev[0]}" >"$work/dev.txt"
for file in include/nemotron-toolkit/libcore/base/status.h NemotronToolkitConfig.cmake libnemo_base.a; do
  grep -q "$file" "$work/dev.txt" || fail "$file is not in the dev package"
done
