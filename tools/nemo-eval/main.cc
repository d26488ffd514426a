// nemo-eval: what a model scores on benchmarks, on any layout, straight from any checkpoint.
#include "kernels/comm/mpi_comm.h"
#include "tools/common/source.h"
#include "tools/common/tool.h"
#include "tools/nemo-eval/job.h"
#include "tools/nemo-eval/run.h"

namespace {

nemo::Tool EvalTool(nemo::EvalJob* job) {
  nemo::Tool tool;
  tool.name = "nemo-eval";
  tool.summary =
      "Scores the model in SRC on benchmarks. Prompts, answers taken out of texts, scores and "
      "standard errors are those of lm-evaluation-harness; the table says which variant of each "
      "task ran.";
  tool.operands = {{"SRC", nemo::kSourceHelp, &job->source, /*required=*/false}};
  tool.groups = nemo::EvalFlags(job);
  tool.details =
      "--output keeps each answer in journal.jsonl as soon as it is there; a run that was stopped, "
      "however it was, goes on with --resume and ends with the same files. docs/eval.md tells "
      "where data sets come from and how to add a task.";
  tool.example =
      "nemo-eval model.nemo --tasks mmlu@5,hellaswag --data evaldata --output scores --resume";
  tool.run = [job](const nemo::Console& console) -> nemo::Result<bool> {
    NEMO_RETURN_IF_ERROR(nemo::RunJob(*job, console));
    return true;
  };
  return tool;
}

}  // namespace

int main(int argc, char** argv) {
  nemo::EvalJob job;
  const int code = nemo::Main(argc, argv, EvalTool(&job));
  nemo::FinalizeMpi(code);
  return code;
}
