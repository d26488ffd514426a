run nemo-inspect golden/nemo/tiny_zarr_tp2pp2.nemo
