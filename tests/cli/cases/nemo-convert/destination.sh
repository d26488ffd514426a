# What exists is replaced only with --force, and never when it is, holds or lies in the source.
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo shards --tp 2 | mask
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo shards
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo shards --dry-run
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo shards --force | mask
run ls shards
run nemo-convert shards shards --force
run nemo-convert shards shards/inside
cp golden/nemo/tiny_zarr_tp1pp1.nemo shards
run nemo-convert shards/tiny_zarr_tp1pp1.nemo shards --force
mkdir mine
touch mine/thesis.txt
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo mine --force
run ls mine
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo /proc/shards
