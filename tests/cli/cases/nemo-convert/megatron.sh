# A distributed checkpoint for Megatron-LM: a file per rank, what ranks share in the first one's.
run nemo-convert golden/nemo/odd_zarr_tp2pp3.nemo run --to megatron --tp 2 --pp 3 | mask
find run -type f | LC_ALL=C sort
run nemo-validate golden/models/odd/hf run
# It can be read by everything, its tokenizer too; resharding keeps the format.
run nemo-convert run back --to hf | mask
run cmp back/model.safetensors golden/models/odd/hf/model.safetensors
run nemo-reshard run other --tp 1 --pp 2 | mask
run nemo-validate run other
# More ranks than query groups have contiguous rows.
run nemo-convert golden/models/micro/hf wide --to megatron --tp 4 --dry-run | mask
# What makes no sense there is wrong usage.
run nemo-convert golden/models/tiny/hf x --to megatron --pp 2 --vpp 2
run nemo-convert golden/models/tiny/hf x --to megatron --pp 2 --pipeline-layout 1,3
run nemo-convert golden/models/tiny/hf x --to megatron --tp 8 --kv-duplicate
run nemo-convert golden/models/tiny/hf x --to megatron --tp 3
run nemo-convert golden/models/tiny/hf x --to megatron --container hdf5
run ls
