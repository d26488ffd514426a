# Which backends there are depends on the build.
nemo-validate --help | sed '/^  --backend /,/^  --isa /{/^  --isa /!d}'
