# A stopped run is neither forgotten nor overwritten by accident, and only the same conversion goes
# on with it.
nemo-convert data/shakespeare.nemo whole --tp 2 >/dev/null
kill_on_the_way nemo-convert data/shakespeare.nemo shards --tp 2 --jobs 1
run nemo-convert data/shakespeare.nemo shards --tp 2
run nemo-convert data/shakespeare.nemo shards --tp 1 --resume
nemo-convert data/shakespeare.nemo shards --tp 2 --resume | grep -c resumed
run diff -r whole shards
run ls
run nemo-convert data/shakespeare.nemo shards --tp 2 --resume
