# Prompts come from flags, files, standard input; where they come from does not matter.
generate() { nemo-generate data/shakespeare.nemo --tokens-to-generate 4 --greedy "$@"; }
printf 'KING\n\nTo be\r\n' >prompts.txt
printf '"KING"\n{"prompt": "To be"}\n' >prompts.jsonl
generate --prompt KING --prompt 'To be' >expected
generate --prompts prompts.txt | diff expected - && echo "a text file: the same"
generate --prompts prompts.jsonl | diff expected - && echo "a JSON lines file: the same"
generate --prompts - <prompts.txt | diff expected - && echo "standard input, line by line: the same"
run generate --prompt 'To be' </dev/null
run generate <<<$'KING:\nTo be'
run generate </dev/null
printf '"KING"\n{"text": "To be"}\n' >wrong.jsonl
run generate --prompts wrong.jsonl
run generate --prompts absent.txt
: >empty.txt
run generate --prompts empty.txt
