# The tiny model on devices that hold it whole, and on devices that do not.
run nemo-inspect golden/nemo/tiny_zarr_tp2pp2.nemo --plan --gpus 4 --gpu-memory 1MB --gpu-bandwidth 1GB | tail -n 6
run nemo-inspect golden/nemo/tiny_zarr_tp2pp2.nemo --plan --gpus 2 --gpu-memory 200kB | tail -n 5
run nemo-inspect golden/nemo/tiny_zarr_tp2pp2.nemo --plan --gpus 4 --json --tensors 'output*' | grep -o '"plan".*' | head -c 60
run nemo-inspect golden/nemo/tiny_zarr_tp2pp2.nemo --plan --gpus 7
