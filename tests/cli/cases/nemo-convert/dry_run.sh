# The plan, and nothing else: no folder appears.
run nemo-convert golden/nemo/odd_zarr_tp2pp3.nemo shards --tp 2 --pipeline-layout 1,2,3 --dry-run --jobs 3 | mask
nemo-convert golden/nemo/tied_zarr_tp1pp2.nemo shards --pp 2 --dry-run --json --threads 1 | mask | head -60
run ls
