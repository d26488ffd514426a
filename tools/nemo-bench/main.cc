// nemo-bench: how fast kernels, whole models, disks and ranks are on this machine, against what the
// machine can do. The table of its commands.
#include "kernels/comm/mpi_comm.h"
#include "tools/common/commands.h"
#include "tools/nemo-bench/collectives.h"
#include "tools/nemo-bench/compare.h"
#include "tools/nemo-bench/io.h"
#include "tools/nemo-bench/kernels.h"
#include "tools/nemo-bench/model.h"

int main(int argc, char** argv) {
  nemo::KernelsOptions kernels;
  nemo::ModelOptions model;
  nemo::IoOptions io;
  nemo::CollectivesOptions collectives;
  nemo::CompareOptions compare;
  const nemo::CommandSet set = {
      "nemo-bench",
      "Measures how fast this machine is, against the limits that it has: each figure with its "
      "spread, with the machine, and with what the same run says is possible.",
      {{"kernels",
        "every operation of a backend at a model's sizes: roofline, error, oneDNN beside it",
        nemo::KernelsTool(&kernels)},
       {"model", "prefill and decode of a whole model, or of some layers of a large one",
        nemo::ModelTool(&model)},
       {"io", "the disk, read and written as the converter does", nemo::IoTool(&io)},
       {"collectives", "what ranks say to one another", nemo::CollectivesTool(&collectives)},
       {"compare", "two reports side by side", nemo::CompareTool(&compare)}}};
  const int code = nemo::MainOfCommands(argc, argv, set);
  nemo::FinalizeMpi(code);
  return code;
}
