# Nemotron-4-340B by its sizes alone, on the three machines of its model card; what sizes do not have.
ln -s "$(dirname "$BASH_ENV")/../../configs" configs
model=configs/models/nemotron4-340b.yaml
run nemo-inspect $model --plan --gpus 8 --gpu-memory 141GB --gpu-bandwidth 4800GB | tail -n 6
run nemo-inspect $model --plan --gpus 16 --gpu-memory 80GB --gpu-bandwidth 3350GB | tail -n 6
run nemo-inspect $model --plan --gpus 16 --gpu-memory 80GB --gpu-bandwidth 2039GB | tail -n 2
run nemo-inspect $model --tensors 'decoder.layers.95.self_attention.*.weight' | sed -e '3,/^tokenizer/d'
run nemo-inspect $model --tensors output_layer.weight --json | tr -d '\n ' | grep -o '"tensors".*'
echo
run nemo-inspect $model --stats
printf 'num_layers: 2\nhiden_size: 64\n' >typo.yaml
run nemo-inspect typo.yaml --plan
