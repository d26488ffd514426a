# Commit, backends and instruction sets depend on the build and the machine.
for tool in nemo-convert nemo-reshard nemo-validate nemo-inspect nemo-generate nemo-eval nemo-bench; do
  run $tool --version | sed -E 's/ \(commit [0-9a-f]{12}\)$//; s/^(backends: cpu, reference).*/\1/; s/^(instruction sets: ).*scalar$/\1...scalar/'
done
