#include "tools/common/shard_report.h"

#include <algorithm>
#include <sys/resource.h>
#include <utility>

#include "libcore/base/format.h"
#include "tools/common/source.h"
#include "tools/common/table.h"

namespace nemo {
namespace {

std::string Line(std::string_view what, const std::string& text) {
  return Format("{:<11} {}\n", what, text);
}

std::string Line(std::string_view what, const ShardSide& side) {
  return Line(what, Format("{}: {} ({}), {}", side.path, side.format,
                           StorageText(side.container, side.compression), ToString(side.layout)));
}

std::string Line(const VocabReport& vocab) {
  const std::string real = vocab.real > 0 ? Format("{} pieces", vocab.real) : "size not known";
  return Line(
      "vocabulary",
      Format("{}; {} rows in the source, {} in the target: {} dropped, {} zero "
             "rows added",
             real, vocab.source_rows, vocab.target_rows, vocab.dropped_rows, vocab.zero_rows));
}

Value ToValue(const ShardSide& side) {
  return nemo::ToValue(side.path, side.format, side.container, side.compression, side.layout);
}

Value ToValue(const VocabReport& vocab) {
  Value value;
  value.Set("real", vocab.real);
  value.Set("source_rows", vocab.source_rows);
  value.Set("target_rows", vocab.target_rows);
  value.Set("dropped_rows", vocab.dropped_rows);
  value.Set("zero_rows", vocab.zero_rows);
  return value;
}

double GigabytesPerSecond(const ShardReport& report) {
  return static_cast<double>(report.counts.written_bytes) / 1e9 / std::max(report.seconds, 1e-9);
}

/// What compression made of the bytes, when there was one.
std::string Compressed(const ShardReport& report) {
  const auto& [written, stored] =
      std::pair(report.counts.written_bytes, report.counts.stored_bytes);
  if (stored == written || written == 0) return {};
  return Format(" as {} ({:.1f} %)", FormatBytes(stored),
                100.0 * static_cast<double>(stored) / static_cast<double>(written));
}

}  // namespace

VocabReport VocabReportOf(const ModelConfig& source, const Plan& plan) {
  VocabReport report;
  report.real = source.vocab_size;
  report.source_rows = source.padded_vocab_size;
  report.target_rows = plan.config.padded_vocab_size;
  // The plan knows what is copied: the largest row that a move of a vocabulary tensor reads.
  int64_t kept_rows = 0;
  for (const PlannedFile& file : plan.files) {
    for (const PlannedTensor& tensor : file.tensors) {
      if (tensor.tensor.note.shard_rule != ShardRuleName(ShardRule::kVocab)) continue;
      for (const Move& move : tensor.moves) {
        if (move.source_name.empty()) continue;
        kept_rows = std::max(kept_rows, move.source.offset[0] + move.source.extent[0]);
      }
    }
  }
  report.dropped_rows = report.source_rows - kept_rows;
  report.zero_rows = report.target_rows - kept_rows;
  return report;
}

std::string ToText(const ShardReport& report) {
  return Line("source", report.source) + Line("target", report.target) +
         Line("files", Format("{}", report.counts.num_files)) +
         Line("tensors", Format("{}", report.counts.num_tensors)) +
         Line("bytes", Format("{} read, {} written{}", FormatBytes(report.counts.read_bytes),
                              FormatBytes(report.counts.written_bytes), Compressed(report))) +
         Line(report.vocab) +
         Line("time", Format("{:.2f} s, {:.2f} GB/s", report.seconds, GigabytesPerSecond(report))) +
         Line("memory", Format("peak {} resident, {} planned for buffers",
                               FormatBytes(report.peak_memory_bytes),
                               FormatBytes(report.planned_memory_bytes))) +
         (report.counts.num_kept_tensors == 0
              ? ""
              : Line("resumed",
                     Format("{} tensors, {}, were there and intact", report.counts.num_kept_tensors,
                            FormatBytes(report.counts.kept_bytes)))) +
         (report.num_ranks == 1 ? "" : Line("ranks", Format("{}", report.num_ranks))) +
         (report.verified == "none" ? "" : Line("verified", report.verified));
}

Value ToValue(const ShardReport& report) {
  Value value;
  value.Set("source", ToValue(report.source));
  value.Set("target", ToValue(report.target));
  value.Set("files", report.counts.num_files);
  value.Set("tensors", report.counts.num_tensors);
  value.Set("read_bytes", report.counts.read_bytes);
  value.Set("written_bytes", report.counts.written_bytes);
  value.Set("stored_bytes", report.counts.stored_bytes);
  value.Set("vocabulary", ToValue(report.vocab));
  value.Set("seconds", report.seconds);
  value.Set("gigabytes_per_second", GigabytesPerSecond(report));
  value.Set("peak_memory_bytes", report.peak_memory_bytes);
  value.Set("planned_memory_bytes", report.planned_memory_bytes);
  value.Set("kept_tensors", report.counts.num_kept_tensors);
  value.Set("kept_bytes", report.counts.kept_bytes);
  value.Set("ranks", report.num_ranks);
  value.Set("verified", report.verified);
  return value;
}

std::string ToText(const DryRunReport& report) {
  Table table({{"file"}, {"tensors", Table::Align::kRight}, {"bytes", Table::Align::kRight}});
  for (const PlannedFile& file : report.plan->files) {
    table.AddRow({file.stem, Format("{}", file.tensors.size()), Format("{}", file.size_bytes())});
  }
  const std::string free = report.free_bytes < 0
                               ? std::string("free space not known")
                               : Format("{} free", FormatBytes(report.free_bytes));
  const std::string available =
      report.available_memory_bytes < 0
          ? std::string("available memory not known")
          : Format("{} available", FormatBytes(report.available_memory_bytes));
  return Line("source", report.source) + Line("target", report.target) + Line(report.vocab) +
         Line("memory", Format("{} of buffers, {}", FormatBytes(report.memory_bytes), available)) +
         Line("disk", Format("{}{} needed, {}", report.is_upper_bound ? "up to " : "",
                             FormatBytes(report.disk_bytes), free)) +
         "\n" + table.ToText(TableWidth()) + "\nDry run: nothing was written.\n";
}

Value ToValue(const DryRunReport& report) {
  Value::Array files;
  for (const PlannedFile& file : report.plan->files) {
    Value row;
    row.Set("name", file.stem);
    row.Set("tensors", static_cast<int64_t>(file.tensors.size()));
    row.Set("bytes", file.size_bytes());
    files.push_back(std::move(row));
  }
  Value value;
  value.Set("dry_run", true);
  value.Set("source", ToValue(report.source));
  value.Set("target", ToValue(report.target));
  value.Set("vocabulary", ToValue(report.vocab));
  value.Set("memory_bytes", report.memory_bytes);
  value.Set("available_memory_bytes",
            report.available_memory_bytes < 0 ? Value() : Value(report.available_memory_bytes));
  value.Set("disk_bytes", report.disk_bytes);
  value.Set("free_bytes", report.free_bytes < 0 ? Value() : Value(report.free_bytes));
  value.Set("files", std::move(files));
  value.Set("plan", nemo::ToValue(*report.plan));
  return value;
}

int64_t PeakMemoryBytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace nemo
