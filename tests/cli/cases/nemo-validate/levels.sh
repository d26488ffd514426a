nemo-convert golden/nemo/tiny_zarr_tp2pp2.nemo shards --tp 2 >/dev/null
for level in index checksums values; do
  run nemo-validate shards --level $level
  run nemo-validate golden/nemo/tiny_zarr_tp2pp2.nemo --level $level
done
