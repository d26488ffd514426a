# Which backends there are depends on the build.
nemo-generate --help | sed '/^  --backend /,/^  --isa /{/^  --isa /!d}'
