# The figures are those of the archive, whatever the layout and the threads.
run nemo-inspect golden/nemo/tied_zarr_tp1pp2.nemo --tensors '*norm*' --stats
nemo-convert golden/nemo/tied_zarr_tp1pp2.nemo shards --pp 2 --vocab keep >/dev/null
diff <(nemo-inspect golden/nemo/tied_zarr_tp1pp2.nemo --stats --threads 1 | grep BF16) \
  <(nemo-inspect shards --stats --threads 4 | grep BF16) | head
run nemo-inspect shards --tensors 'nothing*'
