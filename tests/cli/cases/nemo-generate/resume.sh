# A batch that was stopped goes on where it stopped, and its file is that of an undisturbed run.
printf '"KING"\n"To be"\n"My lord,"\n"What"\n' >prompts.jsonl
batch() {
  nemo-generate data/shakespeare.nemo --prompts prompts.jsonl --tokens-to-generate 6 --output answers.jsonl "$@"
}
batch --seed 3 --quiet
cp answers.jsonl expected
run batch --seed 3
run batch --seed 3 --resume

# Two answers, the second before the first, and half of a third.
{ sed -n 3p expected; sed -n 1p expected; sed -n 2p expected | head -c 50; } >partial
stopped() { rm -f answers.jsonl; cp partial answers.jsonl.partial; }
stopped
run batch --seed 3
run batch --seed 3 --resume
cmp answers.jsonl expected && echo "resumed: the same file"
stopped
run batch --resume --tp 2
cmp answers.jsonl expected && echo "resumed on another layout, with the seed of the answers: the same file"

# Answers of another run are not gone on with.
stopped
run batch --seed 4 --resume
run batch --seed 3 --resume --temperature 0.5
run nemo-generate golden/nemo/tiny_zarr_tp1pp1.nemo --prompts prompts.jsonl --tokens-to-generate 6 \
  --output answers.jsonl --resume
printf '"KING"\n"To be"\n"My lord,"\n"Who"\n' >prompts.jsonl
run batch --seed 3 --resume
head -n 2 partial | cmp - answers.jsonl.partial && echo "what was finished is still there"
run batch --seed 3 --force
echo text >answers.jsonl
run batch --seed 3 --resume
ls

run batch --resume --force
run nemo-generate data/shakespeare.nemo --prompts prompts.jsonl --resume
run batch --stream
