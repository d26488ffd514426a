run nemo-validate golden/nemo/tiny_zarr_tp1pp1.nemo golden/nemo/tied_zarr_tp1pp2.nemo
run nemo-validate golden/nemo/tiny_zarr_tp1pp1.nemo golden/nemo/tied_zarr_tp1pp2.nemo --json
