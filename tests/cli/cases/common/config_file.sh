# Keys are long flag names in any spelling; flags on the command line win.
cat >layout.yaml <<'Y'
tensor_model_parallel_size: 2
pp: 2
container: safetensors
vocab: keep
quiet: true
Y
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo a --config layout.yaml | mask
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo b --config layout.yaml --pp 1 | mask
echo 'tensor_paralel_size: 2' >typo.yaml
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo c --config typo.yaml
echo 'tp: [2' >broken.yaml
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo c --config broken.yaml
run nemo-convert golden/nemo/tiny_zarr_tp1pp1.nemo c --config absent.yaml
run ls
