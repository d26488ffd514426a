# Compression is said in the flag, the reports and the manifest; it stays when the shards are laid out
# anew, and a stopped run goes on to the same bytes.
run nemo-convert golden/nemo/tied_zarr_tp1pp2.nemo a --compress zstd --verify written | mask
grep -o '"compression": "[^"]*"' a/manifest.json
nemo-reshard a b --pp 2 -q >/dev/null
grep -o '"compression": "[^"]*"' b/manifest.json
run nemo-validate a b
nemo-reshard a c --compress none >/dev/null
grep -c compression c/manifest.json
nemo-reshard a d --container safetensors >/dev/null
grep -c compression d/manifest.json
run nemo-convert golden/nemo/tied_zarr_tp1pp2.nemo e --compress zstd --container safetensors
run nemo-convert golden/nemo/tied_zarr_tp1pp2.nemo e --compress zstd --to hf
run nemo-convert golden/nemo/tied_zarr_tp1pp2.nemo e --compress zstd:20
run nemo-convert golden/nemo/tied_zarr_tp1pp2.nemo e --compress gzip
nemo-convert data/shakespeare.nemo whole --tp 2 --compress zstd >/dev/null
kill_on_the_way nemo-convert data/shakespeare.nemo shards --tp 2 --compress zstd --jobs 1
run nemo-convert data/shakespeare.nemo shards --tp 2 --resume
nemo-convert data/shakespeare.nemo shards --tp 2 --compress zstd --resume | grep -c resumed
run diff -r whole shards
