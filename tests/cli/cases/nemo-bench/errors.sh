# Refused before anything is measured.
ln -s "$(dirname "$BASH_ENV")/../../configs" configs
run nemo-bench
run nemo-bench kernel
run nemo-bench kernels
run nemo-bench kernels --model nothing.yaml
run nemo-bench kernels --model configs/models/minitron-4b.yaml --layout 8x2
run nemo-bench kernels --model configs/models/minitron-4b.yaml --layout 7,1
run nemo-bench kernels --model configs/models/minitron-4b.yaml --tokens 0
run nemo-bench kernels --model configs/models/minitron-4b.yaml --tokens 5000
run nemo-bench kernels --model configs/models/minitron-4b.yaml --filter liner
run nemo-bench kernels --model configs/models/minitron-4b.yaml --isa avx1024 --filter embed
printf 'num_layers: 2\nhiden_size: 64\n' >typo.yaml
run nemo-bench kernels --model typo.yaml
sed 's/hidden_size: .*/hidden_size: 2000000000/' configs/models/minitron-4b.yaml >huge.yaml
run nemo-bench kernels --model huge.yaml
printf 'linear/*: 85\n' >percent.yaml
run nemo-bench kernels --model configs/models/minitron-4b.yaml --min-fraction percent.yaml
run nemo-bench kernels --model configs/models/minitron-4b.yaml --min-fraction nothing.yaml
run nemo-bench model nothing.nemo
run nemo-bench model data/shakespeare.nemo --layers 1
run nemo-bench model data/shakespeare.nemo -p 5000
run nemo-bench model data/shakespeare.nemo -b 0
run nemo-bench model configs/models/minitron-4b.yaml --layers 33
run nemo-bench io nothing
run nemo-bench io --block 5000
run nemo-bench collectives --ranks 1
run nemo-bench collectives --filter all_reduse
run nemo-bench compare nothing.json nothing.json
echo '{"a": 1}' >other.json
run nemo-bench compare other.json other.json
run nemo-bench compare other.json
