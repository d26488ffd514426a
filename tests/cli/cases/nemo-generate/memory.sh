# What a machine has no memory for is refused before the weights are read, in figures: here the KV cache
# of a model that claims an enormous context.
nemo-convert data/shakespeare.nemo hf --to hf >/dev/null
sed -i -E 's/("max_position_embeddings": )[0-9]+/\11000000000/' hf/config.json
figures() { sed -E 's/and [0-9.]+ [kMGT]?B are available/and ... are available/'; }
run nemo-generate hf --serve --port 0 2>&1 | grep -v 'will listen' | figures
run nemo-generate hf --serve --port 0 --tp 2 --max-batch-size 16 2>&1 | grep -v 'will listen' | figures
# What is asked for fits.
nemo-generate hf --prompt KING --greedy --tokens-to-generate 2
