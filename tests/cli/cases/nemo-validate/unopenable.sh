# JSON says so too; the exit code is that of bad input.
run nemo-validate absent --json
head -c 300000 golden/nemo/tiny_zarr_tp1pp1.nemo >cut.nemo
run nemo-validate cut.nemo --json
run nemo-validate golden/nemo/tiny_zarr_tp1pp1.nemo cut.nemo
