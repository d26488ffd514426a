# A byte that differs is found wherever it is: headers, tensors, gaps, manifest, tokenizer, configuration.
for container in hdf5 safetensors; do
  nemo-convert golden/nemo/tied_zarr_tp1pp2.nemo shards --pp 2 --container $container >/dev/null
  for file in shards/*; do
    size=$(stat -c %s "$file")
    found=0 tried=0
    for ((i = 0; i < 5; ++i)); do
      flip "$file" $((size * i / 5))
      nemo-validate shards >log 2>&1
      alone=$?
      nemo-validate golden/nemo/tied_zarr_tp1pp2.nemo shards >log2 2>&1
      both=$?
      flip "$file" $((size * i / 5))
      tried=$((tried + 1))
      if ((alone == 1 || alone == 3)) && ((both == 1 || both == 3)); then
        found=$((found + 1))
      else
        echo "byte $((size * i / 5)): exit $alone alone, $both against the source"
        cat log log2
      fi
    done
    echo "$file: $found of $tried flipped bytes found"
  done
  run nemo-validate shards
  rm -r shards
done
