# The scripts parse in their shells, where those are installed.
for tool in nemo-convert nemo-reshard nemo-validate nemo-inspect nemo-generate; do
  for shell in bash zsh fish; do
    $tool completion $shell >script.$shell || echo "$tool $shell: exit $?"
    grep -q -- threads script.$shell || echo "$tool $shell: --threads is not offered"
    if [[ -n $(type -P $shell) ]]; then $shell -n script.$shell || echo "$tool $shell: exit $?"; fi
  done
done

# And in bash, TAB does what it should.
source <(nemo-convert completion bash)
compopt() { :; }
complete_words() {
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  _nemo_convert
  printf '%s\n' "${COMPREPLY[@]}"
}
echo '--pipe<TAB>'
complete_words nemo-convert --pipe
echo '--container <TAB>'
complete_words nemo-convert --container ''
touch model.nemo
echo 'mod<TAB>'
complete_words nemo-convert mod
