# Which backends there are depends on the build.
nemo-bench --help
for command in kernels model io collectives compare; do
  echo
  nemo-bench $command --help | sed '/^  --backend NAME *cpu /,/^  --isa /{/^  --isa /!d}'
done
