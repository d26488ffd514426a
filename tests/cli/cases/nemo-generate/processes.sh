# Ranks as processes: only rank 0 prints, standard input reaches all, the number of processes must fit,
# and nobody waits longer than --peer-timeout: here for the prompt that rank 0 never reads.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
generate=(nemo-generate data/shakespeare.nemo --tokens-to-generate 8 --greedy --threads 1 --tp 2)
"${generate[@]}" --prompt KING >expected
if [[ -z $(type -P mpirun) ]]; then
  echo "mpirun: the same"
  echo "exit 2"
  echo "nemo-generate: 3 processes were started, and --tp 2 --pp 1 has 2 ranks; start as many processes as ranks"
  echo "exit 4"
  echo "rank 1 waited 1000 ms for rank 0"
  exit
fi
printf 'KING\n' | mpirun -n 2 --oversubscribe "${generate[@]}" 2>&1 | diff expected - && echo "mpirun: the same"
mpirun -n 3 --oversubscribe "${generate[@]}" --prompt KING >out 2>&1
echo "exit $?"
grep nemo-generate: out
mkfifo never
sleep 600 >never &
mpirun -n 2 --oversubscribe "${generate[@]}" --peer-timeout 1 <never >out 2>&1
echo "exit $?"
grep -o "rank 1 waited 1000 ms for rank 0" out
kill $!
