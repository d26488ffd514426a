run nemo-convert golden/nemo/tiny_zarr_tp2pp2.nemo shards --tp_size 2 --pp_size 2 --json | mask
