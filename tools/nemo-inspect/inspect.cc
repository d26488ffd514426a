#include "tools/nemo-inspect/inspect.h"

#include <fnmatch.h>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/base/thread_pool.h"
#include "libcore/text/tokenizer.h"
#include "tools/common/model_yaml.h"
#include "tools/common/table.h"

namespace nemo {
namespace {

Status ReadStats(const Console& console, Inspection& inspection) {
  const TensorSource& source = *inspection.checkpoint.source;
  int64_t size_bytes = 0;
  for (const TensorSpec& spec : inspection.tensors) size_bytes += spec.size_bytes();
  inspection.stats.resize(inspection.tensors.size());
  Progress& progress = console.progress();
  progress.Start("inspect", size_bytes, "B");
  const Status status = ParallelFor(
      console.threads(), static_cast<int64_t>(inspection.tensors.size()), [&](int64_t i) -> Status {
        const auto index = static_cast<size_t>(i);
        const TensorSpec& spec = inspection.tensors[index];
        NEMO_ASSIGN_OR_RETURN(inspection.stats[index],
                              ComputeStats(source, spec.name, Box::Whole(spec.shape)));
        progress.Add(spec.size_bytes());
        return StopRequested() ? IoError("stopped") : OkStatus();
      });
  progress.Finish();
  return status.ok() ? source.ProveReads() : status;
}

/// {"name", "bytes", "vocab_size", "bos_id", "eos_id"}, or null.
Result<Value> TokenizerValue(const Checkpoint& checkpoint) {
  if (checkpoint.tokenizer_model.empty()) return Value();
  NEMO_ASSIGN_OR_RETURN(const auto tokenizer, LoadSentencePiece(checkpoint.tokenizer_model));
  Value value;
  value.Set("name", checkpoint.tokenizer_name);
  value.Set("bytes", static_cast<int64_t>(checkpoint.tokenizer_model.size()));
  value.Set("vocab_size", tokenizer->vocab_size());
  value.Set("bos_id", int64_t{tokenizer->bos_id()});
  value.Set("eos_id", int64_t{tokenizer->eos_id()});
  return value;
}

Value ToValue(const TensorStats& stats) {
  Value value;
  value.Set("min", stats.min);
  value.Set("max", stats.max);
  value.Set("mean", stats.mean);
  value.Set("rms", stats.rms);
  value.Set("zeros", stats.num_zeros);
  value.Set("nan", stats.num_nans);
  return value;
}

/// An object's members as indented lines.
std::string MemberLines(const Value& object) {
  std::string text;
  for (const auto& [key, value] : object.as_object()) {
    text += Format("  {:<36}  {}\n", key, value.is_string() ? value.as_string() : ToJson(value));
  }
  return text;
}

/// Where the tensor's bytes lie; nowhere for a model of sizes alone.
std::vector<std::string> FilesOf(const Checkpoint& checkpoint, const TensorSpec& spec) {
  if (checkpoint.source == nullptr) return {};
  return checkpoint.source->FilesOf(spec.name, Box::Whole(spec.shape));
}

std::string FilesText(const std::vector<std::string>& files) {
  if (files.empty()) return "";
  return files.size() == 1 ? files[0] : Format("{} +{}", files[0], files.size() - 1);
}

std::string TensorTable(const Inspection& inspection) {
  using Align = Table::Align;
  std::vector<Table::Column> columns = {{"tensor"}, {"dtype"}, {"shape"}, {"bytes", Align::kRight}};
  const bool stats = !inspection.stats.empty();
  if (stats) {
    for (const char* title : {"min", "max", "mean", "rms", "zeros", "nan"}) {
      columns.push_back({title, Align::kRight});
    }
  } else {
    columns.push_back({"files"});
  }
  Table table(columns);
  for (size_t i = 0; i < inspection.tensors.size(); ++i) {
    const TensorSpec& spec = inspection.tensors[i];
    std::vector<std::string> cells = {spec.name, std::string(DTypeName(spec.dtype)),
                                      FormatList(spec.shape), Format("{}", spec.size_bytes())};
    if (stats) {
      const TensorStats& s = inspection.stats[i];
      for (const double v : {s.min, s.max, s.mean, s.rms}) cells.push_back(Format("{:.4g}", v));
      for (const int64_t v : {s.num_zeros, s.num_nans}) cells.push_back(Format("{}", v));
    } else {
      cells.push_back(FilesText(FilesOf(inspection.checkpoint, spec)));
    }
    table.AddRow(std::move(cells));
  }
  return table.ToText(TableWidth());
}

/// A model's sizes, as if its checkpoint were there: every tensor, no bytes.
Result<std::vector<TensorSpec>> OpenSizes(const InspectOptions& options, Checkpoint* checkpoint) {
  if (options.stats) {
    return InvalidArgument(
        Format("--stats: {} has a model's sizes and no values; give its checkpoint as SRC",
               options.source));
  }
  NEMO_ASSIGN_OR_RETURN(checkpoint->config, LoadModelYaml(options.source));
  checkpoint->format = "sizes";
  checkpoint->container = "yaml";
  return SpecsOfModel(checkpoint->config);
}

Result<std::vector<TensorSpec>> OpenWeights(const InspectOptions& options, Checkpoint* checkpoint) {
  NEMO_ASSIGN_OR_RETURN(*checkpoint, OpenSource(options.source));
  const auto specs = checkpoint->source->specs();
  return std::vector<TensorSpec>(specs.begin(), specs.end());
}

}  // namespace

Result<Inspection> Inspect(const InspectOptions& options, const Console& console) {
  Inspection inspection;
  NEMO_ASSIGN_OR_RETURN(const std::vector<TensorSpec> specs,
                        IsModelYaml(options.source) ? OpenSizes(options, &inspection.checkpoint)
                                                    : OpenWeights(options, &inspection.checkpoint));
  inspection.totals = TotalsOf(specs);
  for (const TensorSpec& spec : specs) {
    if (options.tensors.empty() || fnmatch(options.tensors.c_str(), spec.name.c_str(), 0) == 0) {
      inspection.tensors.push_back(spec);
    }
  }
  if (inspection.tensors.empty()) {
    return InvalidArgument(Format("--tensors: none of the {} tensors matches '{}'",
                                  inspection.totals.num_tensors, options.tensors));
  }
  if (options.stats) NEMO_RETURN_IF_ERROR(ReadStats(console, inspection));
  if (options.capacity.plan) {
    NEMO_ASSIGN_OR_RETURN(inspection.capacities,
                          PlanCapacities(inspection.checkpoint.config, options.capacity));
  }
  return inspection;
}

Result<Value> ToValue(const Inspection& inspection) {
  const Checkpoint& checkpoint = inspection.checkpoint;
  Value layout;
  layout.Set("tp", checkpoint.layout.tp_size);
  layout.Set("pp", checkpoint.layout.pp_size);
  layout.Set("vpp", checkpoint.layout.vpp_size);
  Value::Array tensors;
  for (size_t i = 0; i < inspection.tensors.size(); ++i) {
    const TensorSpec& spec = inspection.tensors[i];
    Value row;
    row.Set("name", spec.name);
    row.Set("dtype", DTypeName(spec.dtype));
    row.Set("shape", Value::ArrayOf(spec.shape));
    row.Set("bytes", spec.size_bytes());
    row.Set("files", Value::ArrayOf(FilesOf(checkpoint, spec)));
    if (!inspection.stats.empty()) row.Set("stats", ToValue(inspection.stats[i]));
    tensors.push_back(std::move(row));
  }
  Value value;
  value.Set("format", checkpoint.format);
  value.Set("container", checkpoint.container);
  if (checkpoint.compression.zstd) value.Set("compression", ToString(checkpoint.compression));
  value.Set("layout", std::move(layout));
  value.Set("model", nemo::ToValue(checkpoint.config));
  NEMO_ASSIGN_OR_RETURN(Value tokenizer, TokenizerValue(checkpoint));
  value.Set("tokenizer", std::move(tokenizer));
  value.Set("tensors", std::move(tensors));
  value.Set("parameters", inspection.totals.num_parameters);
  value.Set("bytes", inspection.totals.size_bytes);
  if (!inspection.capacities.empty()) value.Set("plan", nemo::ToValue(inspection.capacities));
  return value;
}

Result<std::string> ToText(const InspectOptions& options, const Inspection& inspection) {
  NEMO_ASSIGN_OR_RETURN(const Value tokenizer, TokenizerValue(inspection.checkpoint));
  const TensorTotals& totals = inspection.totals;
  const std::string kind = inspection.checkpoint.source == nullptr
                               ? "the sizes of a model, no weights"
                               : Describe(inspection.checkpoint);
  // With --plan people look for the layouts, not for hundreds of tensors.
  const std::string table = inspection.capacities.empty()
                                ? TensorTable(inspection)
                                : nemo::ToText(inspection.capacities, options.capacity);
  return Format("{}: {}\n{} tensors, {} parameters, {}\n\nmodel\n{}\ntokenizer\n{}\n{}",
                options.source, kind, totals.num_tensors, totals.num_parameters,
                FormatBytes(totals.size_bytes),
                MemberLines(nemo::ToValue(inspection.checkpoint.config)),
                tokenizer.is_null() ? "  none\n" : MemberLines(tokenizer), table);
}

}  // namespace nemo
