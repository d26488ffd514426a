// nemo-generate: text from a model, on any layout, straight from any checkpoint.
#include "kernels/comm/mpi_comm.h"
#include "tools/common/source.h"
#include "tools/common/tool.h"
#include "tools/nemo-generate/job.h"
#include "tools/nemo-generate/run.h"

namespace {

nemo::Tool GenerateTool(nemo::GenerateJob* job) {
  nemo::Tool tool;
  tool.name = "nemo-generate";
  tool.summary =
      "Continues prompts with the model in SRC. The layout of the files and the layout of the run "
      "have nothing to do with each other. Tokens and log-probabilities are the same, bit for bit, "
      "on every layout, batch and instruction set but amx.";
  tool.operands = {{"SRC", nemo::kSourceHelp, &job->source}};
  tool.groups = nemo::GenerateFlags(job);
  tool.details =
      "Text output is the whole sentence, prompt and continuation; several are headed by their "
      "number. --json prints NeMo's keys: sentences, tokens, token_ids, logprob, offsets, and "
      "full_logprob "
      "with --all-probs; --output writes the same per prompt. A run with --output that was "
      "stopped, "
      "however it was, keeps what it had finished.";
  tool.example = "mpirun -n 4 nemo-generate shards --tp 2 --pp 2 --prompt 'To be, or not' --greedy";
  tool.run = [job](const nemo::Console& console) -> nemo::Result<bool> {
    NEMO_RETURN_IF_ERROR(nemo::RunJob(*job, console));
    return true;
  };
  return tool;
}

}  // namespace

int main(int argc, char** argv) {
  nemo::GenerateJob job;
  const int code = nemo::Main(argc, argv, GenerateTool(&job));
  nemo::FinalizeMpi(code);
  return code;
}
