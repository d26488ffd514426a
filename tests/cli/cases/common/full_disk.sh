# Results that do not arrive are an error.
nemo-inspect golden/nemo/tiny_zarr_tp1pp1.nemo --json >/dev/full
echo "exit $?"
nemo-inspect --help >/dev/full
echo "exit $?"
