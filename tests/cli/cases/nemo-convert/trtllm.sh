# A checkpoint for TensorRT-LLM: a file per rank, and more ranks than query groups share their heads.
run nemo-convert golden/nemo/odd_zarr_tp2pp3.nemo engine --to trtllm --tp 2 --pp 3 | mask
run ls engine
run nemo-convert golden/models/micro/hf wide --to trtllm --tp 4 --dry-run | mask
# What makes no sense there is wrong usage.
run nemo-convert golden/models/tiny/hf x --to trtllm --container hdf5
run nemo-convert golden/models/tiny/hf x --to trtllm --max-shard-size 5GB
run nemo-convert golden/models/tiny/hf x --to trtllm --pp 2 --vpp 2
run nemo-convert golden/models/tiny/hf x --to trtllm --pipeline-layout 1,3
run nemo-convert golden/models/tiny/hf x --to trtllm --tp 3
# It is written, not read.
run nemo-inspect engine
run nemo-reshard engine x --tp 1
run ls
