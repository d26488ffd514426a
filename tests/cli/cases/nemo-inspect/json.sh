run nemo-inspect golden/nemo/tied_zarr_tp1pp2.nemo --tensors 'decoder.layers.1.*' --json
