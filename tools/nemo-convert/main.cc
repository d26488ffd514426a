// nemo-convert: a checkpoint of any kind this build reads, written as one that it writes.
#include "kernels/comm/mpi_comm.h"
#include "tools/common/shard_job.h"
#include "tools/common/source.h"
#include "tools/common/tool.h"

namespace {

nemo::Tool ConvertTool(nemo::ShardJob* job) {
  job->to = "native";
  nemo::Tool tool;
  tool.name = "nemo-convert";
  tool.summary =
      "Writes checkpoint SRC as DST, in another format or parallel layout. SRC is read in place; "
      "every byte is read and written once. DST appears whole or not at all.";
  tool.operands = {{"SRC", nemo::kSourceHelp, &job->source},
                   {"DST", "the directory to make, or with --to nemo a file that ends in .nemo",
                    &job->destination}};
  tool.groups = nemo::ShardJobFlags(job, nemo::ShardJobKind::kConvert);
  tool.example = "nemo-convert Nemotron-4-340B-Base.nemo shards --tp 8 --pp 2";
  tool.run = [job](const nemo::Console& console) -> nemo::Result<bool> {
    return nemo::RunShardJob(*job, console);
  };
  return tool;
}

}  // namespace

int main(int argc, char** argv) {
  nemo::ShardJob job;
  const int code = nemo::Main(argc, argv, ConvertTool(&job));
  nemo::FinalizeMpi(code);
  return code;
}
