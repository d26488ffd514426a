# shellcheck shell=bash
# What the batch scripts of this folder share: their settings, and how a tool runs as a step of several ranks.
# To be sourced. Needs bash 4.3. docs/slurm.md tells what to set on a real cluster.
#
# Every setting may come from the environment; sbatch hands it on (`NEMO_PORT=2424 sbatch ...`).
#   NEMO_HOME               the toolkit's folder (the one that sbatch was called in)
#   NEMO_BIN                where the tools are (NEMO_HOME/build/cpu/bin, else PATH; in a container: PATH)
#   NEMO_TP, NEMO_PP        the layout (ranks of a node, nodes: tensor ranks stay inside a node)
#   NEMO_BACKEND            cuda, cpu (the script's own choice)
#   NEMO_FLAGS              more flags for the tool, separated by blanks
#   NEMO_MPI                how ranks find each other, srun --mpi (pmix)
#   NEMO_CONTAINER_IMAGE    with the plugins pyxis and enroot: what the ranks run in (none)
#   NEMO_CONTAINER_MOUNTS   folders that they see, HOST:INSIDE,... (none)
set -euo pipefail

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

[[ -n ${SLURM_JOB_ID:-} ]] || die 2 "this is no Slurm job; start it with sbatch, or inside of salloc"
NEMO_HOME=${NEMO_HOME:-$SLURM_SUBMIT_DIR}

# tool NAME: the path of NAME, as the ranks call it.
tool() {
  local folder=${NEMO_BIN:-}
  if [[ -z $folder && -z ${NEMO_CONTAINER_IMAGE:-} && -x $NEMO_HOME/build/cpu/bin/$1 ]]; then
    folder=$NEMO_HOME/build/cpu/bin
  fi
  printf '%s' "${folder:+$folder/}$1"
}

# The flags of a tool that holds the model on all ranks of the job.
layout_flags() {
  local nodes=${SLURM_JOB_NUM_NODES:-1} tasks=${SLURM_NTASKS:-1}
  printf '%s\n' --tp "${NEMO_TP:-$((tasks / nodes))}" --pp "${NEMO_PP:-$nodes}" --backend "${NEMO_BACKEND:-cpu}"
}

# as_ranks COMMAND...: runs it on every rank of the job; when one fails, the others are ended too.
as_ranks() {
  local step=(srun "--mpi=${NEMO_MPI:-pmix}" --kill-on-bad-exit=1)
  # srun does not take these over from sbatch by itself.
  [[ -z ${SLURM_CPUS_PER_TASK:-} ]] || step+=("--cpus-per-task=$SLURM_CPUS_PER_TASK")
  [[ -z ${NEMO_CONTAINER_IMAGE:-} ]] || step+=("--container-image=$NEMO_CONTAINER_IMAGE")
  [[ -z ${NEMO_CONTAINER_MOUNTS:-} ]] || step+=("--container-mounts=$NEMO_CONTAINER_MOUNTS")
  exec "${step[@]}" "$@"
}

# For the scripts that source this.
# shellcheck disable=SC2034
read -ra extra_flags <<<"${NEMO_FLAGS:-}"
# shellcheck disable=SC2034
mapfile -t layout < <(layout_flags)
