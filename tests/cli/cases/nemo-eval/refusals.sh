# Refused before the weights are read.
run nemo-eval data/shakespeare.nemo --tasks hellaswagg --data .
run nemo-eval data/shakespeare.nemo --tasks hellaswag
run nemo-eval data/shakespeare.nemo --data .
run nemo-eval --tasks hellaswag --data .
run nemo-eval data/shakespeare.nemo --tasks hellaswag --data .
run nemo-eval data/shakespeare.nemo --tasks hellaswag@x --data .
run nemo-eval data/shakespeare.nemo --tasks hellaswag --data . --dtype-profile fp32
run nemo-eval data/shakespeare.nemo --tasks humaneval --data .
run nemo-eval data/shakespeare.nemo --tasks hellaswag --data . --resume
echo 'tasks: [{name: a, kind: quiz, data: {files: [b]}, metrics: [acc]}]' >own.yaml
run nemo-eval data/shakespeare.nemo --task-file own.yaml --tasks a --data .
echo 'tasks: [{name: text, kind: perplexity, data: {files: [../rows.jsonl]}, target: "{{text}}", metrics: [bits_per_byte]}]' >own.yaml
run nemo-eval data/shakespeare.nemo --task-file own.yaml --tasks text --data .
echo '{"text": "To be"}' >rows.jsonl
sed -i 's|\.\./rows|rows|; s/{{text}}/{{verse}}/' own.yaml
run nemo-eval data/shakespeare.nemo --task-file own.yaml --tasks text --data .
gzip rows.jsonl && truncate -s -5 rows.jsonl.gz
run nemo-eval data/shakespeare.nemo --task-file own.yaml --tasks text --data .
run nemo-eval data/shakespeare.nemo --task-file own.yaml --tasks text --data . --num-samples 10
run nemo-eval data/shakespeare.nemo --tasks humaneval --data . --num-samples 10 --temperature 0
