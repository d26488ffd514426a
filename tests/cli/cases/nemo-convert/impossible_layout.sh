# Refused before anything is written, with what would work.
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo shards --tp 3
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo shards --pp 3
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo shards --pipeline-layout 1,2
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo shards --pp 2 --vpp 3
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo shards --tp 1000000
run ls
