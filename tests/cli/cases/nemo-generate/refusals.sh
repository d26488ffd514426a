# Refused before the weights are read.
run nemo-generate data/shakespeare.nemo --prompt KING --tokens-to-generate 100000
run nemo-generate data/shakespeare.nemo --prompt KING --stream --json
run nemo-generate data/shakespeare.nemo --prompt KING --all-probs
run nemo-generate data/shakespeare.nemo --prompt KING --temperature -1
run nemo-generate data/shakespeare.nemo --prompt KING --top-p 1.5
run nemo-generate data/shakespeare.nemo --prompt KING --repetition-penalty 0.5
run nemo-generate data/shakespeare.nemo --prompt KING --isa avx1024
run nemo-generate data/shakespeare.nemo --prompt KING --dtype-profile fp32
run nemo-generate data/shakespeare.nemo --prompt KING --peer-timeout 0
run nemo-generate data/shakespeare.nemo --prompt KING --tokens-to-generate 0
