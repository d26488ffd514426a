# One sentence stands alone; several are numbered; --stream prints the same text.
run nemo-generate data/shakespeare.nemo --prompt KING --tokens-to-generate 12 --greedy
run nemo-generate data/shakespeare.nemo --prompt KING --prompt 'To be' --tokens-to-generate 8 --greedy
run nemo-generate data/shakespeare.nemo --prompt KING --prompt 'To be' --tokens-to-generate 8 --greedy --stream
run nemo-generate data/shakespeare.nemo --prompt 'To be' --tokens-to-generate 4 --greedy --logprobs
