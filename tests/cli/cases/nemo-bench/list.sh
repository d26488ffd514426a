# The rows of one rank of the largest model; nothing is measured, so nothing is allocated.
ln -s "$(dirname "$BASH_ENV")/../../configs" configs
nemo-bench kernels --model configs/models/nemotron4-340b.yaml --layout 8,2 --list --tokens 1,512
echo
nemo-bench kernels --model configs/models/nemotron4-340b.yaml --layout configs/layouts/8xh200.yaml --list --filter 'fc?/m32'
nemo-bench kernels --model configs/models/nemotron-1b.yaml --list --filter fc1/m8 --json
echo
for model in configs/models/*.yaml; do
  echo "$(basename "$model"): $(nemo-bench kernels --model "$model" --list --filter linear | grep -c /m) products"
done
for layout in configs/layouts/*.yaml; do
  nemo-bench kernels --model configs/models/nemotron4-340b.yaml --layout "$layout" --list --filter qkv/m8 | tail -1
done
