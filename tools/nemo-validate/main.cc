// nemo-validate: does a checkpoint hold together, and does it hold the same as another one?
#include "kernels/comm/mpi_comm.h"
#include "tools/common/source.h"
#include "tools/common/tool.h"
#include "tools/nemo-validate/report.h"
#include "tools/nemo-validate/validate.h"

namespace {

constexpr size_t kMaxLines = 20;

nemo::Result<bool> Run(const nemo::ValidateOptions& options, const nemo::Console& console) {
  const auto validation = nemo::Validate(options, console);
  if (!validation) {
    // Another process of the launch has the message, where there is none here.
    if (console.json() && !validation.error().message().empty())
      console.PrintJson(nemo::FailureToValue(options, validation.error()));
    return validation.error();
  }
  if (!validation->speaks) return true;
  if (console.json()) {
    console.PrintJson(nemo::ToValue(*validation));
  } else {
    console.Print(nemo::ToText(*validation, console.verbose() ? 0 : kMaxLines));
  }
  return validation->ok();
}

nemo::Tool ValidateTool(nemo::ValidateOptions* options) {
  const std::vector<std::string> levels = {"index", "checksums", "values", "logits"};
  nemo::Tool tool;
  tool.name = "nemo-validate";
  tool.summary =
      "Checks checkpoint SRC, or compares it with OTHER bit by bit, across any two formats and "
      "layouts. "
      "Rows beyond the tokenizer's vocabulary are padding and not compared.";
  tool.operands = {{"SRC", nemo::kSourceHelp, &options->source},
                   {"OTHER", "a second checkpoint, to compare with", &options->other, false}};
  tool.groups = nemo::LogitsFlags(&options->logits);
  tool.groups.insert(
      tool.groups.begin(),
      {"Checks",
       {{.name = "level",
         .value = "LEVEL",
         .help = "how far each checkpoint is checked by itself: index (names, sizes, headers), "
                 "checksums (every byte), values (default: NaN, Inf, constant rows, suspicious "
                 "ranges), logits (the model runs: its logits are numbers, and not all the same); "
                 "each includes those before it. With OTHER, values means the comparison, and "
                 "logits that both models run on the same prompts: how far their logits lie apart, "
                 "and the first layer and block whose output differs",
         .choices = levels,
         .set = nemo::SetChoice(&options->level, levels)}}});
  tool.example = "nemo-validate Nemotron-4-340B-Base.nemo shards";
  tool.no_means = "SRC is damaged, or it differs from OTHER";
  tool.run = [options](const nemo::Console& console) { return Run(*options, console); };
  return tool;
}

}  // namespace

int main(int argc, char** argv) {
  nemo::ValidateOptions options;
  const int code = nemo::Main(argc, argv, ValidateTool(&options));
  nemo::FinalizeMpi(code);
  return code;
}
