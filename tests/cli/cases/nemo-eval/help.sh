# Which backends there are depends on the build.
nemo-eval --help | sed '/^  --backend /,/^  --isa /{/^  --isa /!d}'
