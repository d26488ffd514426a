# Nothing is left behind.
head -c 300000 golden/nemo/tiny_zarr_tp1pp1.nemo >cut.nemo
run nemo-convert cut.nemo shards --tp 2
head -c 300000 golden/nemo/odd_zarr_tp1pp1_gz.nemo >cut_gz.nemo
run nemo-convert cut_gz.nemo shards --tp 2
run ls
