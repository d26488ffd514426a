// nemo-inspect: what a checkpoint holds.
#include "tools/common/source.h"
#include "tools/common/tool.h"
#include "tools/nemo-inspect/inspect.h"

namespace {

nemo::Result<bool> Run(const nemo::InspectOptions& options, const nemo::Console& console) {
  NEMO_ASSIGN_OR_RETURN(const nemo::Inspection inspection, nemo::Inspect(options, console));
  if (console.json()) {
    NEMO_ASSIGN_OR_RETURN(const nemo::Value value, nemo::ToValue(inspection));
    console.PrintJson(value);
  } else {
    NEMO_ASSIGN_OR_RETURN(const std::string text, nemo::ToText(options, inspection));
    console.Print(text);
  }
  return true;
}

nemo::Tool InspectTool(nemo::InspectOptions* options) {
  nemo::Tool tool;
  tool.name = "nemo-inspect";
  tool.summary =
      "Shows what checkpoint SRC holds: its format and layout, the model, the tokenizer, and every "
      "tensor "
      "under its canonical name. With --plan, which layouts fit a set of GPUs. Reads the index "
      "only, unless "
      "--stats asks for values.";
  tool.operands = {{"SRC",
                    std::string(nemo::kSourceHelp) +
                        "; or the sizes of a model, such as configs/models/nemotron4-340b.yaml",
                    &options->source}};
  tool.groups = {{"Tensors",
                  {{.name = "tensors",
                    .value = "GLOB",
                    .help = "only tensors whose name matches, such as '*.linear_qkv.weight'",
                    .set = nemo::SetText(&options->tensors)},
                   {.name = "stats",
                    .help = "min, max, mean, rms, zeros and NaN of each tensor",
                    .set = nemo::SetSwitch(&options->stats)}}},
                 nemo::CapacityFlags(&options->capacity)};
  tool.example = "nemo-inspect Nemotron-4-340B-Base.nemo --tensors 'decoder.layers.0.*' --stats";
  tool.run = [options](const nemo::Console& console) { return Run(*options, console); };
  return tool;
}

}  // namespace

int main(int argc, char** argv) {
  nemo::InspectOptions options;
  return nemo::Main(argc, argv, InspectTool(&options));
}
