// nemo-reshard: the same checkpoint, kind and container, in another parallel layout.
#include "kernels/comm/mpi_comm.h"
#include "tools/common/shard_job.h"
#include "tools/common/tool.h"

namespace {

nemo::Tool ReshardTool(nemo::ShardJob* job) {
  nemo::Tool tool;
  tool.name = "nemo-reshard";
  tool.summary =
      "Writes checkpoint SRC as DST in another parallel layout, of the same kind and in the same "
      "container. There and back again gives the same bytes.";
  tool.operands = {
      {"SRC", "a native shard set, a .nemo, or a Hugging Face directory", &job->source},
      {"DST", "the directory to make, or for a .nemo a file that ends in .nemo",
       &job->destination}};
  tool.groups = nemo::ShardJobFlags(job, nemo::ShardJobKind::kReshard);
  tool.example = "nemo-reshard shards-tp8-pp2 shards-tp16 --tp 16";
  tool.run = [job](const nemo::Console& console) -> nemo::Result<bool> {
    return nemo::RunShardJob(*job, console);
  };
  return tool;
}

}  // namespace

int main(int argc, char** argv) {
  nemo::ShardJob job;
  const int code = nemo::Main(argc, argv, ReshardTool(&job));
  nemo::FinalizeMpi(code);
  return code;
}
