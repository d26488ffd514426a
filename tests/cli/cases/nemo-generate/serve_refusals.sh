# Refused before the weights are read.
serve() { run nemo-generate data/shakespeare.nemo --serve "$@"; }
serve --prompt KING
serve --prompts -
serve --stream
serve --output answers.jsonl
serve --json
serve --port 70000
serve --max-queue 0
serve --host nobody.invalid. 2>&1 | sed 's/\(nobody.invalid.: \).*/\1.../'
serve --max-sequence-tokens 4096
serve --kv-memory 1kB
serve --api-key-file absent
printf '# none\n' > keys
serve --api-key-file keys
printf 'two words\n' > keys
serve --api-key-file keys
