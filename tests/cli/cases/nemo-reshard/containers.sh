# The container stays unless told; an archive is no shard set.
nemo-convert golden/nemo/tied_zarr_tp1pp2.nemo a --container safetensors >/dev/null
run nemo-reshard a b --pp 2 | mask
run nemo-reshard a c --container hdf5 | mask
run nemo-validate b c
run nemo-reshard golden/nemo/tied_zarr_tp1pp2.nemo d
