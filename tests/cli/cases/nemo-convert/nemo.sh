# A .nemo of a Hugging Face directory: an archive of arrays, and a directory with a file per rank.
run nemo-convert golden/models/tiny/hf a.nemo --to nemo --tp 2 --pp 2 | mask
run tar tf a.nemo | grep -v -e /shard_ -e '/[0-9.]*$'
run nemo-validate a.nemo golden/models/tiny/hf
run nemo-convert a.nemo d --to nemo --container torch --tp 2 --pp 2 | mask
run find d -type f | sort
run nemo-reshard d e --tp 4 | mask
run diff d/model_config.yaml e/model_config.yaml
# What its configuration or its files have no room for is wrong usage.
run nemo-convert a.nemo x --to nemo --pp 2 --pipeline-layout 1,3
run nemo-convert a.nemo x --to nemo --container torch --pp 2 --vpp 2
run nemo-convert a.nemo x --to nemo --tp 8 --kv-duplicate
run nemo-convert a.nemo x --to nemo --container hdf5
run nemo-convert a.nemo x --to nemo --max-shard-size 5GB
run nemo-convert golden/models/tiny/hf a.nemo --to nemo
run nemo-convert a.nemo x.nemo --to nemo --container torch --tp 2 --dry-run | mask
run ls
