# Level logits: two checkpoints on the same prompts. Formats and layouts change nothing; a damaged tensor
# is found as its layer and block.
source=golden/nemo/tiny_zarr_tp1pp1.nemo
nemo-convert $source hf --to hf >/dev/null
nemo-convert $source shards --tp 2 --container safetensors >/dev/null
machine() { sed -E 's/(TP[0-9]+ x PP[0-9]+), [a-z]+ \([a-z0-9]+\)/\1, .../'; }
logits() { run nemo-validate "$@" --level logits | machine; }
logits $source hf
logits $source shards --tp 2 --pp 2
logits $source --prompt 'To be' --prompt 'or not'
# The weights of two layers: the first one counts.
damage() {
  local offset
  offset=$(grep -A1 "{\"name\":\"$1\"" shards/manifest.json | sed -nE 's/.*"byte_offset":([0-9]+).*/\1/p')
  flip shards/tp_rank_00_pp_rank_000.safetensors $((offset + $2))
}
damage decoder.layers.3.self_attention.linear_proj.weight 1
damage decoder.layers.2.mlp.linear_fc1.weight 1
for layout in '' '--tp 2 --pp 2'; do
  # shellcheck disable=SC2086 # words
  nemo-validate $source shards --level logits $layout --json >report.json
  echo "exit $?"
  grep -A3 '"first_difference"' report.json | grep -E 'layer|block'
done
damage decoder.layers.2.mlp.linear_fc1.weight 1
nemo-validate $source shards --level logits --verbose | grep -E '^(first difference|  layer)' | sed 's/: max abs.*//'
