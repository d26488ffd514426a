# A JSON lines file in, one out: parameters of each line's own, answers in the order of the prompts.
cat >prompts.jsonl <<'END'
"KING"
{"prompt": "To be", "tokens_to_generate": 3, "greedy": false, "top_k": 1, "compute_logprob": true}

{"prompt": "KING", "end_strings": ["gentleman"], "tokens_to_generate": 20}
{"prompt": "My lord,", "greedy": false, "temperature": 0.8, "top_p": 0.95, "random_seed": 5, "add_BOS": true}
END
batch() { nemo-generate data/shakespeare.nemo --prompts prompts.jsonl --greedy --seed 3 --tokens-to-generate 4 "$@"; }
run batch --output answers.jsonl
sed -E 's/"run":"[0-9a-f]{16}-[0-9a-f]{16}"/"run":"..."/' answers.jsonl
batch --output again.jsonl --tp 2 --pp 3 --max-batch-size 2 --prefill-chunk 1 --quiet
cmp answers.jsonl again.jsonl && echo "another layout and batch: the same file"

# What the lines say is what the flags would have said.
nemo-generate data/shakespeare.nemo --prompt 'My lord,' --temperature 0.8 --top-p 0.95 --seed 5 --add-bos \
  --tokens-to-generate 4 --json | sed -n '/"sentences"/,/]/p'

batch --json | grep -A 10 '"logprob"'
batch --json --output object.jsonl --quiet | sed '/"timing"/,$d'
ls
