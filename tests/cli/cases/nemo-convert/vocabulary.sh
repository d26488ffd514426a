# The archive stores junk rows beyond the tokenizer's pieces; each rule says what becomes of them.
for rule in megatron keep prune pad:8; do
  nemo-convert golden/nemo/odd_zarr_tp2pp3.nemo shards --vocab $rule --force | grep vocabulary
  nemo-validate golden/nemo/odd_zarr_tp2pp3.nemo shards | tail -1
done
