# Where, what, by how much, in which file.
nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo shards --tp 2 --container safetensors >/dev/null
offset=$(grep -A1 '{"name":"decoder.layers.2.mlp.linear_fc1.weight"' shards/manifest.json |
  sed -nE 's/.*"byte_offset":([0-9]+).*/\1/p')
flip shards/tp_rank_00_pp_rank_000.safetensors $((offset + 2 * (64 * 3 + 5)))
run nemo-validate golden/nemo/tiny_zarr_tp1pp1.nemo shards
run nemo-validate golden/nemo/tiny_zarr_tp1pp1.nemo shards --json
