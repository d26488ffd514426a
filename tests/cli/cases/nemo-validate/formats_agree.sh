# One model in seven guises: every pair is equal to the bit.
nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo h5 --tp 2 --pp 2 >/dev/null
nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo st --tp 4 --container safetensors >/dev/null
nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo kv --tp 8 --kv-duplicate >/dev/null
for other in h5 st kv golden/nemo/tiny_zarr_tp2pp2.nemo golden/nemo/tiny_zarr_tp4pp1_dir; do
  run nemo-validate golden/nemo/tiny_zarr_tp1pp1.nemo $other
done
