run nemo-convert golden/nemo/tiny_zarr_tp2pp2.nemo shards --tp 4 --pp 1 | mask
run ls shards
run nemo-validate golden/nemo/tiny_zarr_tp2pp2.nemo shards
