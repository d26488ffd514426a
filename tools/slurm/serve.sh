#!/usr/bin/env bash
# Serves a model on all ranks of a Slurm job, waits until it answers, and runs a client; without one, until the job is stopped.
#
#   serve.sh MODEL [-- CLIENT...]
#
# The server is a step of the job; the client runs here, on the job's first node, where rank 0 listens. Exit: the client's;
# the server's, when that ends before the client does; 143 when stopped. Either way no process stays.
#
# Settings, besides those of common.sh:
#   NEMO_HOST, NEMO_PORT    where the server listens (127.0.0.1, 1424). 0.0.0.0 lets other machines in: then set a key
#   NEMO_API_KEY_FILE       the keys that clients must have one of (none)
#   NEMO_WAIT_SECONDS       how long the model may load (3600)
#   NEMO_DRAIN_SECONDS      how long the last requests may take at the end (60)
# shellcheck source=tools/slurm/common.sh
. "${NEMO_HOME:-${SLURM_SUBMIT_DIR:-.}}/tools/slurm/common.sh" ||
  { echo "serve.sh: submit from the toolkit's folder, or set NEMO_HOME to it" >&2; exit 2; }

[[ -n ${1:-} && ( $# -eq 1 || $2 == -- ) ]] || die 2 "usage: serve.sh MODEL [-- CLIENT...]"
model=$1
client=("${@:3}")
host=${NEMO_HOST:-127.0.0.1} port=${NEMO_PORT:-1424}
wait_seconds=${NEMO_WAIT_SECONDS:-3600} drain_seconds=${NEMO_DRAIN_SECONDS:-60}
# What clients on this node call a server that listens everywhere.
address=$host
[[ $host != 0.0.0.0 ]] || address=127.0.0.1
export NEMO_HOST=$address NEMO_PORT=$port # for the client
server="" client_pid=""

command -v curl >/dev/null || die 4 "curl is not installed on this node"

runs() { kill -0 "$1" 2>/dev/null; }

# As the model card waits: any answer to PUT / means that the model is ready, and until then nobody listens.
answers() { curl --noproxy '*' --silent --output /dev/null --max-time 10 --request PUT "http://$address:$port"; }

start_server() {
  # Somebody who listens there already would be taken for ours.
  ! (exec 3<>"/dev/tcp/$address/$port") 2>/dev/null || die 4 "$address:$port is in use by another program; set NEMO_PORT"
  local flags=(--serve --host "$host" --port "$port" --drain-timeout "$drain_seconds")
  [[ -z ${NEMO_API_KEY_FILE:-} ]] || flags+=(--api-key-file "$NEMO_API_KEY_FILE")
  as_ranks "$(tool nemo-generate)" "$model" "${layout[@]}" "${flags[@]}" "${extra_flags[@]}" &
  server=$!
}

# The step has ended by itself: that is an error, and the job's.
server_ended() {
  local code=0
  wait "$server" || code=$?
  server=""
  say "the server ended (exit $code) $1; its last lines above say why"
  exit $((code == 0 ? 1 : code))
}

wait_until_ready() {
  local deadline=$((SECONDS + wait_seconds))
  until answers; do
    runs "$server" || server_ended "before it answered"
    ((SECONDS < deadline)) || die 4 "no answer from $address:$port after $wait_seconds s (NEMO_WAIT_SECONDS)"
    sleep 1
  done
  runs "$server" || server_ended "while another program answered at $address:$port"
  say "the model answers at http://$address:$port"
}

# The client's exit status; a server that goes away takes the client along.
run_client() {
  local code=0
  "${client[@]}" &
  client_pid=$!
  wait -n "$server" "$client_pid" || code=$?
  # A server that ends takes its client along, and either may be seen first.
  if ((code != 0)); then for _ in {1..50}; do runs "$server" || break; sleep 0.1; done; fi
  runs "$server" || server_ended "before its client did"
  client_pid=""
  return "$code"
}

# SIGTERM lets the server finish what it has begun: srun passes it on to the ranks. The processes of the step, which are ours,
# are ended by Slurm should that take too long.
stop_server() {
  [[ -n $server ]] || return 0
  runs "$server" && kill -TERM "$server"
  local tenths=$(((drain_seconds + 10) * 10))
  while runs "$server" && ((tenths-- > 0)); do sleep 0.1; done
  if runs "$server"; then
    say "the server is not done $drain_seconds s after SIGTERM; its step is cancelled"
    scancel "$SLURM_JOB_ID.$(step_of_server)"
  fi
  wait "$server" || true
  server=""
}
# The one step of this job that runs.
step_of_server() { squeue --steps --noheader --jobs "$SLURM_JOB_ID" --format %i | sed -n 's/^[0-9]*\.\([0-9]*\)$/\1/p' | tail -n 1; }

clean_up() {
  local code=$?
  trap '' TERM INT
  if [[ -n $client_pid ]] && runs "$client_pid"; then kill -TERM "$client_pid"; fi
  stop_server
  exit "$code"
}
trap clean_up EXIT
trap 'exit 143' TERM INT

start_server
wait_until_ready
if ((${#client[@]})); then
  run_client
else
  wait "$server" || true
  server_ended "although nobody asked it to"
fi
