# The pages of docs/tools are what the tools print; NEMO_UPDATE=1 writes them anew. A build without
# CUDA does not list that backend.
tools="nemo-convert nemo-reshard nemo-validate nemo-inspect nemo-generate nemo-eval nemo-bench"
with_cuda() { sed -E '/; cuda \(/!s/(`--backend NAME` .*); default cpu/\1; cuda (NVIDIA GPU); default cpu/'; }
for tool in $tools; do
  $tool manual markdown | with_cuda >page.md || echo "$tool: exit $?"
  if [[ ${NEMO_UPDATE:-} ]]; then cp page.md "$NEMO_DOCS/tools/$tool.md"; fi
  diff -u "$NEMO_DOCS/tools/$tool.md" page.md || echo "docs/tools/$tool.md is not what $tool prints"
done

# man itself finds nothing to complain about, where it is installed.
for tool in $tools; do
  $tool manual man >"$tool.1" || echo "$tool: exit $?"
  grep -q '^\.SH EXAMPLES' "$tool.1" || echo "$tool: no examples"
  if [[ -n $(type -P man) ]]; then man --warnings -l "$tool.1" 2>&1 >/dev/null; fi
done
run nemo-convert manual mdown
run nemo-bench manual mdown
