# A Hugging Face directory and back: what transformers wrote, to the byte.
run nemo-convert golden/nemo/odd_zarr_tp2pp3.nemo hf --to hf | mask
run ls hf
run cmp hf/model.safetensors golden/models/odd/hf/model.safetensors
run nemo-validate golden/nemo/odd_zarr_tp2pp3.nemo hf
run nemo-convert golden/nemo/odd_zarr_tp2pp3.nemo parts --to hf --max-shard-size 800kB | mask
run ls parts
run nemo-validate parts
run nemo-inspect parts --tensors '*.0.self_attention.linear_qkv.weight'
run nemo-convert parts shards --tp 2 --pp 3 | mask
run nemo-convert shards again --to hf --max-shard-size 1MB --dry-run | mask
run nemo-reshard parts whole | mask
run cmp whole/model.safetensors hf/model.safetensors
# It runs, in any layout.
for source in golden/nemo/odd_zarr_tp2pp3.nemo parts; do
  nemo-generate $source --prompt "Hello" --tokens-to-generate 8 --greedy --tp 2 --pp 2 >text
  cksum <text
done
# What makes no sense there is wrong usage.
run nemo-convert hf x --to hf --tp 2
run nemo-convert hf x --to hf --pipeline-layout 3,3
run nemo-convert hf x --to hf --container hdf5
run nemo-convert hf x --max-shard-size 5GB
run nemo-reshard hf x --pp 2
run nemo-convert hf x --to hf --max-shard-size 5XB
# Nor is anything but a plain name followed out of the directory, or an unknown model read.
sed -i 's/model-00001-of-00003/..\/hf\/model/' parts/model.safetensors.index.json
run nemo-convert parts x
sed -i 's/NemotronForCausalLM/LlamaForCausalLM/' hf/config.json
run nemo-validate hf
run ls
