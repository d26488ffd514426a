#include "libcore/runtime/trace.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "libcore/base/check.h"
#include "libcore/base/format.h"
#include "libcore/runtime/element.h"

namespace nemo {
namespace {

/// Points are numbered in the order of the model.
int64_t IndexOf(const StreamPoint& point) {
  if (point.after == StreamPoint::After::kEmbedding) return 0;
  return 1 + 2 * point.layer + (point.after == StreamPoint::After::kMlp ? 1 : 0);
}

StreamPoint PointAt(int64_t index) {
  if (index == 0) return {};
  return {index % 2 == 1 ? StreamPoint::After::kAttention : StreamPoint::After::kMlp,
          (index - 1) / 2};
}

/// One rank's trace as it grows: a step after the other, each through all points of the stage.
class Recorder {
 public:
  Status Add(const StreamPoint& point, std::span<const std::byte> rows) {
    auto stream = std::ranges::find(trace_.streams, point, &Trace::Stream::point);
    if (stream == trace_.streams.end()) stream = trace_.streams.insert(stream, {point, {}});
    stream->rows.insert(stream->rows.end(), rows.begin(), rows.end());
    return OkStatus();
  }
  void AddLogits(const std::vector<LogitRow>& rows) {
    for (const LogitRow& row : rows) {
      trace_.logits.insert(trace_.logits.end(), row.logits.begin(), row.logits.end());
    }
  }
  void AddNoNumbers(int64_t count) {
    trace_.logits.resize(trace_.logits.size() + static_cast<size_t>(count),
                         std::numeric_limits<float>::quiet_NaN());
  }
  Trace Take() { return std::move(trace_); }

 private:
  Trace trace_;
};

Status Feed(Engine& engine, std::span<const int32_t> ids, Recorder* recorder, Progress& progress) {
  const int64_t num_tokens = std::ssize(ids);
  NEMO_RETURN_IF_ERROR(engine.kv().book().Reserve(0, num_tokens));
  for (int64_t start = 0; start < num_tokens;) {
    if (StopRequested()) return IoError(Format("stopped by signal {}", StopSignal()));
    const int64_t count = std::min(engine.options().max_step_tokens, num_tokens - start);
    const auto tokens = ids.subspan(start, count);
    SequenceStep step = {0, start, {tokens.begin(), tokens.end()}};
    step.num_logit_rows = step.num_whole_rows = count;
    const auto rows = engine.Forward({{std::move(step)}});
    // Logits that are no numbers are refused on the last stage, when everything before is computed;
    // here they are what is looked for.
    if (!rows && rows.error().code() != StatusCode::kCorruption) return rows.error();
    if (recorder != nullptr) {
      rows ? recorder->AddLogits(*rows)
           : recorder->AddNoNumbers(count * engine.config().vocab_size);
    }
    start += count;
    progress.Add(count);
  }
  engine.kv().book().Free(0);
  // So that early stages do not run away from the others.
  return engine.world().Barrier();
}

template <typename T>
T At(const std::byte* bytes, int64_t index) {
  T value;
  std::memcpy(&value, bytes + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
  return value;
}

void Add(double a, double b, bool same_bits, Deviation& deviation) {
  ++deviation.num_values;
  const bool finite_a = std::isfinite(a), finite_b = std::isfinite(b);
  if (!finite_a || !finite_b) ++deviation.num_not_finite;
  if (same_bits || (std::isnan(a) && std::isnan(b))) return;
  ++deviation.num_different;
  if (finite_a && finite_b) {
    deviation.max_abs = std::max(deviation.max_abs, std::abs(a - b));
    deviation.square_sum += (a - b) * (a - b);
  } else {
    deviation.max_abs = std::numeric_limits<double>::infinity();
  }
}

template <typename T>
Deviation CompareAs(std::span<const std::byte> a, std::span<const std::byte> b) {
  NEMO_CHECK(a.size() == b.size());
  Deviation deviation;
  for (int64_t i = 0; i < std::ssize(a) / static_cast<int64_t>(sizeof(T)); ++i) {
    const T x = At<T>(a.data(), i), y = At<T>(b.data(), i);
    Add(ToFloat(x), ToFloat(y), std::memcmp(&x, &y, sizeof(T)) == 0, deviation);
  }
  return deviation;
}

/// Its largest value, for which NaN does not count, and log(sum(exp)).
struct RowSums {
  explicit RowSums(std::span<const float> row) {
    for (size_t i = 0; i < row.size(); ++i) {
      if (row[i] > row[choice] || std::isnan(row[choice])) choice = i;
    }
    double sum = 0;
    for (const float value : row) sum += std::exp(static_cast<double>(value) - row[choice]);
    log_sum = std::log(sum) + row[choice];
  }
  size_t choice = 0;
  double log_sum = 0;
};

void AddRow(std::span<const float> a, std::span<const float> b, LogitDeviation& logits) {
  const RowSums sums_a(a), sums_b(b);
  double kl = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    Add(a[i], b[i], std::memcmp(&a[i], &b[i], sizeof(float)) == 0, logits.values);
    const double log_p = a[i] - sums_a.log_sum, log_q = b[i] - sums_b.log_sum;
    kl += std::exp(log_p) * (log_p - log_q);
    if (!std::isfinite(a[i])) continue;
    logits.min_a = std::min(logits.min_a, static_cast<double>(a[i]));
    logits.max_a = std::max(logits.max_a, static_cast<double>(a[i]));
  }
  kl = std::isfinite(kl) ? std::max(kl, 0.0) : std::numeric_limits<double>::infinity();
  ++logits.num_rows;
  logits.num_same_choice += sums_a.choice == sums_b.choice ? 1 : 0;
  logits.num_constant_a += std::ranges::all_of(a, [&](float v) { return v == a[0]; }) ? 1 : 0;
  logits.kl_sum += kl;
  logits.max_kl = std::max(logits.max_kl, kl);
}

LogitDeviation CompareLogits(std::span<const float> a, std::span<const float> b, size_t row_size) {
  NEMO_CHECK(a.size() == b.size() && a.size() % row_size == 0);
  LogitDeviation logits;
  logits.min_a = std::numeric_limits<double>::infinity();
  logits.max_a = -logits.min_a;
  for (size_t begin = 0; begin < a.size(); begin += row_size) {
    AddRow(a.subspan(begin, row_size), b.subspan(begin, row_size), logits);
  }
  return logits;
}

/// What a rank tells the others of one point, or of the logits.
struct Record {
  int64_t is_mine = 0;
  Deviation deviation;
  LogitDeviation logits;
};
static_assert(std::is_trivially_copyable_v<Record>);

}  // namespace

double Deviation::rms() const {
  return num_values == 0 ? 0 : std::sqrt(square_sum / static_cast<double>(num_values));
}

const StreamDeviation* TraceDeviation::first_difference() const {
  const auto found =
      std::ranges::find_if(streams, [](const auto& s) { return !s.deviation.equal(); });
  return found == streams.end() ? nullptr : &*found;
}

const StreamDeviation* TraceDeviation::first_not_finite() const {
  const auto found =
      std::ranges::find_if(streams, [](const auto& s) { return s.deviation.num_not_finite > 0; });
  return found == streams.end() ? nullptr : &*found;
}

Result<Trace> TraceModel(Engine& engine, std::span<const std::vector<int32_t>> sequences,
                         Progress& progress) {
  Recorder recorder;
  const bool keeps = engine.shape().tp_rank == 0;
  if (keeps) {
    engine.Observe([&](const StreamPoint& point, std::span<const std::byte> rows) {
      return recorder.Add(point, rows);
    });
  }
  int64_t num_tokens = 0;
  for (const std::vector<int32_t>& ids : sequences) num_tokens += std::ssize(ids);
  progress.Start("running the model", num_tokens, "tokens");
  Status status;
  for (const std::vector<int32_t>& ids : sequences) {
    status = Feed(engine, ids, keeps ? &recorder : nullptr, progress);
    if (!status.ok()) break;
  }
  progress.Finish();
  engine.Observe(nullptr);
  if (!status.ok()) {
    engine.world().Abort(status.message());
    return status;
  }
  return recorder.Take();
}

Result<TraceDeviation> CompareTraces(const Trace& a, const Trace& b, const ModelConfig& config,
                                     DTypeProfile profile, Communicator& world) {
  const auto num_points = static_cast<size_t>(1 + 2 * config.num_layers);
  // One more for the logits.
  std::vector<Record> mine(num_points + 1);
  NEMO_CHECK(a.streams.size() == b.streams.size());
  const auto compare =
      Stage::ElementBytes(profile) == sizeof(BF16) ? CompareAs<BF16> : CompareAs<float>;
  for (size_t i = 0; i < a.streams.size(); ++i) {
    NEMO_CHECK(a.streams[i].point == b.streams[i].point);
    Record& record = mine[static_cast<size_t>(IndexOf(a.streams[i].point))];
    record.is_mine = 1;
    record.deviation = compare(a.streams[i].rows, b.streams[i].rows);
  }
  if (!a.logits.empty()) {
    mine.back().is_mine = 1;
    mine.back().logits = CompareLogits(a.logits, b.logits, static_cast<size_t>(config.vocab_size));
  }
  std::vector<Record> all(mine.size() * static_cast<size_t>(world.size()));
  NEMO_RETURN_IF_ERROR(
      world.AllGather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all))));
  TraceDeviation result;
  for (size_t point = 0; point < mine.size(); ++point) {
    for (size_t at = point; at < all.size(); at += mine.size()) {
      if (all[at].is_mine == 0) continue;
      if (point == num_points) {
        result.logits = all[at].logits;
      } else {
        result.streams.push_back({PointAt(static_cast<int64_t>(point)), all[at].deviation});
      }
    }
  }
  return result;
}

std::string ToString(const StreamPoint& point) {
  if (point.after == StreamPoint::After::kEmbedding) return "embedding";
  return Format("layer {}, {}", point.layer,
                point.after == StreamPoint::After::kAttention ? "attention" : "mlp");
}

}  // namespace nemo
