// nemo-validate: does a checkpoint hold together, and does it hold the same as another one?
#include "tools/common/source.h"
#include "tools/common/tool.h"
#include "tools/nemo-validate/report.h"
#include "tools/nemo-validate/validate.h"

namespace {

constexpr size_t kMaxLines = 20;

nemo::Result<bool> Run(const nemo::ValidateOptions& options, const nemo::Console& console) {
  const auto validation = nemo::Validate(options, console);
  if (!validation) {
    if (console.json()) console.PrintJson(nemo::FailureToValue(options, validation.error()));
    return validation.error();
  }
  if (console.json()) {
    console.PrintJson(nemo::ToValue(*validation));
  } else {
    console.Print(nemo::ToText(*validation, console.verbose() ? 0 : kMaxLines));
  }
  return validation->ok();
}

nemo::Tool ValidateTool(nemo::ValidateOptions* options) {
  const std::vector<std::string> levels = {"index", "checksums", "values"};
  nemo::Tool tool;
  tool.name = "nemo-validate";
  tool.summary =
      "Checks checkpoint SRC, or compares it with OTHER bit by bit, across any two formats and "
      "layouts. "
      "Rows beyond the tokenizer's vocabulary are padding and not compared.";
  tool.operands = {{"SRC", nemo::kSourceHelp, &options->source},
                   {"OTHER", "a second checkpoint, to compare with", &options->other, false}};
  tool.groups = {{"Checks",
                  {{.name = "level",
                    .value = "LEVEL",
                    .help = "how far each checkpoint is checked by itself: index (names, sizes, "
                            "headers), checksums (every byte), values (default: NaN, Inf, constant "
                            "rows, suspicious ranges); each includes those before it. With OTHER, "
                            "values means the comparison",
                    .choices = levels,
                    .set = nemo::SetChoice(&options->level, levels)}}}};
  tool.example = "nemo-validate Nemotron-4-340B-Base.nemo shards";
  tool.no_means = "SRC is damaged, or it differs from OTHER";
  tool.run = [options](const nemo::Console& console) { return Run(*options, console); };
  return tool;
}

}  // namespace

int main(int argc, char** argv) {
  nemo::ValidateOptions options;
  return nemo::Main(argc, argv, ValidateTool(&options));
}
