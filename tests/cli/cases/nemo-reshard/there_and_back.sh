# A, B, A again: the same bytes, whatever lay between.
for container in hdf5 safetensors; do
  nemo-convert golden/nemo/odd_zarr_tp2pp3.nemo a --tp 2 --pp 3 --container $container >/dev/null
  run nemo-reshard a b --tp 1 --pipeline-layout 2,4 | mask
  nemo-reshard b again --tp 2 --pp 3 >/dev/null
  run diff -r a again
  rm -r a b again
done
