# Replicas share the samples, as threads and as processes: the files are those of one replica, and what
# a stopped run of several had answered is gone on with by any other number of them.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
cat >plays.yaml <<'YAML'
tasks:
  - name: speakers
    kind: multiple_choice
    data: {files: [speakers.jsonl]}
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
YAML
mkdir rows
cat >rows/speakers.jsonl <<'ROWS'
{"line": "To be, or not to be,", "names": ["ROMEO", "JULIET"], "right": "ROMEO"}
{"line": "My lord, the king", "names": ["KING RICHARD", "DUKE"], "right": "DUKE"}
{"line": "What say you?", "names": ["ROMEO", "KING"], "right": "KING"}
{"line": "Good morrow", "names": ["JULIET", "Nurse", "ROMEO"], "right": "Nurse"}
{"line": "Good morrow", "names": ["JULIET"], "right": "JULIET"}
ROWS
evaluate=(nemo-eval data/shakespeare.nemo --task-file plays.yaml --tasks speakers,verse --data rows --threads 1)
"${evaluate[@]}" --output whole >/dev/null
# same WHAT: `other` has the files of one replica, and one journal with every answer.
same() {
  diff -r -x journal.jsonl whole other && diff <(sort whole/journal.jsonl) <(sort other/journal.jsonl) && echo "$1: the same"
}

for layout in '--dp 2' '--data-parallel-size 3 --tp 2' '--dp 20' '--dp 2 --pp 2 --max-batch-size 2'; do
  "${evaluate[@]}" --quiet --force --output other $layout >/dev/null
  same "$layout"
done

# As three replicas leave it when they are killed: a journal each, the last lines torn.
mkdir torn
head -n 4 whole/journal.jsonl >torn/journal.jsonl
(head -n 1 whole/journal.jsonl; sed -n 5,6p whole/journal.jsonl | head -c -9) >torn/journal.jsonl.1
(head -n 1 whole/journal.jsonl; sed -n 7,8p whole/journal.jsonl) >torn/journal.jsonl.2
head -c 20 whole/journal.jsonl >torn/journal.jsonl.13
rm -r other
cp -r torn other
run "${evaluate[@]}" --output other
"${evaluate[@]}" --output other --resume --dp 2 >/dev/null
same "resumed"
sed 's/"run":"./"run":"x/' torn/journal.jsonl.2 >other/journal.jsonl.2
run "${evaluate[@]}" --output other --resume
"${evaluate[@]}" --quiet --output other --force >/dev/null
same "begun anew"

if [[ -z $(type -P mpirun) ]]; then
  for _ in 1 2 3; do echo "mpirun: the same"; done
  echo 'exit 2'
  echo "nemo-eval: 4 processes were started, and --tp 3 --pp 1 has 3 ranks; start as many processes as ranks, or twice, three times as many"
  echo 'exit 2'
  echo "nemo-eval: 4 processes were started, and --dp 3 --tp 1 --pp 1 has 3 ranks; start as many processes as ranks"
  exit
fi
ranks() { mpirun -n 4 --oversubscribe "${evaluate[@]}" --output other "$@" >out 2>&1; }
ranks --force --tp 2 && same mpirun
ranks --force --tp 1 --dp 4 && same mpirun
rm -r other
cp -r torn other
ranks --resume --pp 2 && same mpirun
ranks --force --tp 3
echo "exit $?"
grep nemo-eval: out
ranks --force --dp 3
echo "exit $?"
grep nemo-eval: out
