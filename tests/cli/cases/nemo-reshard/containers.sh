# The container stays unless told; what is only read cannot stay.
nemo-convert golden/nemo/tied_zarr_tp1pp2.nemo a --container safetensors >/dev/null
run nemo-reshard a b --pp 2 | mask
run nemo-reshard a c --container hdf5 | mask
run nemo-validate b c
mkdir -p nemo2/context nemo2/weights
echo 'config: {}' > nemo2/context/model.yaml
echo '{}' > nemo2/weights/metadata.json
run nemo-reshard nemo2 d
