# A line that says no prompt: the file, the line, what was expected.
while IFS= read -r line; do
  printf '"KING"\n\n%s\n' "$line" >prompts.jsonl
  run nemo-generate data/shakespeare.nemo --prompts prompts.jsonl
done <<'END'
KING
"KING
{"prompt": "KING"
{"prompt": "KING"} 5
[1, 2]
{}
{"prompt": 5}
{"prompt": "KING", "temprature": 0.5}
{"prompt": "KING", "colour": "red"}
{"prompt": "KING", "temperature": "hot"}
{"prompt": "KING", "temperature": -1}
{"prompt": "KING", "top_p": 1.5}
{"prompt": "KING", "top_k": 2.5}
{"prompt": "KING", "tokens_to_generate": true}
{"prompt": "KING", "tokens_to_generate": 0}
{"prompt": "KING", "tokens_to_generate": 100000}
{"prompt": "KING", "repetition_penalty": 0.5}
{"prompt": "KING", "greedy": 1}
{"prompt": "KING", "end_strings": "x"}
{"prompt": "KING", "end_strings": ["x", 5]}
{"prompt": "KING", "random_seed": -1}
{"prompt": "KING", "prompt": "QUEEN"}
END
