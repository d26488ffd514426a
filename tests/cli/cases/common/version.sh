for tool in nemo-convert nemo-reshard nemo-validate nemo-inspect nemo-generate; do
  run $tool --version
done
