# A job that waits tells how far it is: the signal prints a line, the file says more; both are there to
# the end.
mkfifo prompts
nemo-generate data/shakespeare.nemo --status-file status.json --greedy --tokens-to-generate 2 <prompts >answer 2>log &
pid=$!
exec 9>prompts
until [[ -e status.json ]]; do sleep 0.05; done
kill -USR1 $pid
until [[ -s log ]]; do sleep 0.05; done
cat log
state() { sed -nE 's/^ *("(tool|state|phase|done|total|unit|exit_code|message)": .*)/\1/p' status.json; }
state
echo KING >&9
exec 9>&-
wait $pid
echo "exit $?"
state
[[ $(wc -l <log) == 1 ]] && [[ ! -e status.json.partial ]] && echo "one line, and nothing left"
# What fails leaves its reason.
nemo-convert absent shards --status-file status.json
state
run nemo-inspect data/shakespeare.nemo --status-file .
run nemo-inspect data/shakespeare.nemo --status-file absent/status.json
