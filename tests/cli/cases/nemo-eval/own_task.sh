# A task of one's own: a YAML and a file of rows. The scores are the same on every layout, and a run
# that was stopped leaves the files of one that was not.
cat >plays.yaml <<'YAML'
tasks:
  - name: speakers
    kind: multiple_choice
    variant: who speaks next
    data: {files: [speakers.jsonl]}
    fewshot: {files: [speakers.jsonl], draw: random, others_only: true}
    question: '{{line}}'
    choices: {each: names, value: '{{item}}'}
    gold: '{{right}}'
    gold_among: {each: names, value: '{{item}}'}
    metrics: [acc, acc_norm]
  - name: verse
    kind: generate_until
    data: {files: [speakers.jsonl]}
    question: "{{right}}:\n"
    target: "{{line | strip | lower}}"
    until: ["\n"]
    max_tokens: 12
    metrics: [exact_match: {ignore_case: true}]
  - name: text
    kind: perplexity
    data: {files: [speakers.jsonl]}
    target: '{{line}}'
    metrics: [word_perplexity, byte_perplexity, bits_per_byte]
YAML
mkdir rows
cat >rows/speakers.jsonl <<'ROWS'
{"line": "To be, or not to be,", "names": ["ROMEO", "JULIET"], "right": "ROMEO"}
{"line": "My lord, the king", "names": ["KING RICHARD", "DUKE"], "right": "DUKE"}
{"line": "What say you?", "names": ["ROMEO", "KING"], "right": "KING"}
{"line": "Good morrow", "names": ["JULIET", "Nurse", "ROMEO"], "right": "Nurse"}
ROWS
evaluate() {
  nemo-eval data/shakespeare.nemo --task-file plays.yaml --tasks speakers@2,verse,text --data rows "$@"
}
evaluate --output whole
ls whole
head -n 1 whole/samples_verse.jsonl

for layout in '--tp 2' '--pp 3' '--tp 2 --pp 2 --max-batch-size 3' '--isa scalar' '--backend reference' \
  '--prefill-chunk 1' '--prefix-cache off'; do
  evaluate --quiet --force --output other $layout >/dev/null
  diff -r -x journal.jsonl whole other && echo "$layout: the same"
done

run evaluate --output whole
# Half of the answers and a piece of the next.
mkdir torn
head -c 700 whole/journal.jsonl >torn/journal.jsonl
evaluate --output torn --resume >/dev/null
diff -r -x journal.jsonl whole torn && echo "resumed: the same files"
run evaluate --output torn --resume --limit 2
