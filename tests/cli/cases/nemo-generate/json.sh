# NeMo's keys; the timing is all that differs from run to run.
nemo-generate data/shakespeare.nemo --prompt KING --tokens_to_generate 3 --greedy --compute_logprob --json |
  sed '/"timing"/,$d'
nemo-generate data/shakespeare.nemo --prompt KING --tokens_to_generate 1 --seed 5 --all-probs --json >all.json
echo "one row of $(sed '1,/"full_logprob"/d; /"offsets"/,$d' all.json | grep -cE '^ +-[0-9]') log-probabilities"
grep '"seed"' all.json
