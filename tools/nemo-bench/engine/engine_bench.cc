#include "tools/nemo-bench/engine/engine_bench.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/progress.h"
#include "tools/nemo-bench/engine/few_shot.h"
#include "tools/nemo-bench/engine/step_clock.h"

namespace nemo {
namespace {

/// Parameters of the products: of all layers, and of the output layer.
struct Products {
  double layers = 0, head = 0;
};
Products ProductsOf(const ModelConfig& c) {
  const auto hidden = static_cast<double>(c.hidden_size);
  const auto heads = static_cast<double>(c.num_attention_heads * c.kv_channels);
  const auto groups = static_cast<double>(c.num_query_groups * c.kv_channels);
  const auto ffn = static_cast<double>(c.ffn_hidden_size);
  const double layer = hidden * (2 * heads + 2 * groups + 2 * ffn);
  return {layer * static_cast<double>(c.num_layers), hidden * static_cast<double>(c.vocab_size)};
}

/// Bytes of keys and values of one token, and FLOPs of one query at one position, all layers.
double KvBytes(const ModelConfig& c) {
  return static_cast<double>(c.num_layers * 2 * c.num_query_groups * c.kv_channels * 2);
}
double AttentionFlops(const ModelConfig& c) {
  return static_cast<double>(c.num_layers * 4 * c.num_attention_heads * c.kv_channels);
}

/// Texts that may have tokens in one step.
int64_t TextSlots(const EngineBenchOptions& options) {
  return options.prefill_chunk / kShortestText + 2;
}

/// The steps in which all texts pass, each filled up with the beginning of the next text. A text
/// has its slot until `TextSlots` later ones have begun, and by then it is over.
std::vector<Batch> ScoringSteps(const EngineBenchOptions& options, RandomTokens random) {
  std::vector<Batch> steps(1);
  int64_t room = options.prefill_chunk;
  for (int64_t text = 0; text < options.texts; ++text) {
    std::vector<int32_t> ids(static_cast<size_t>(TokensOfText(text)));
    for (int32_t& id : ids) id = random.Next();
    for (int64_t begin = 0; begin < std::ssize(ids);) {
      if (room == 0) {
        steps.emplace_back();
        room = options.prefill_chunk;
      }
      const int64_t end = std::min(std::ssize(ids), begin + room);
      SequenceStep step;
      step.slot = text % TextSlots(options);
      step.start = begin;
      step.token_ids.assign(ids.begin() + begin, ids.begin() + end);
      // The last token predicts nothing that is there.
      step.num_logit_rows = end - begin;
      step.targets.assign(ids.begin() + begin + 1,
                          ids.begin() + std::min(end + 1, std::ssize(ids)));
      step.targets.resize(static_cast<size_t>(step.num_logit_rows), -1);
      steps.back().sequences.push_back(std::move(step));
      room -= end - begin;
      begin = end;
    }
  }
  return steps;
}

}  // namespace

int64_t TokensOfText(int64_t index) {
  // Weyl's sequence: spread evenly, in no order.
  const auto spread = static_cast<uint64_t>(index + 1) * 0x9e3779b97f4a7c15u >> 32;
  return kShortestText + static_cast<int64_t>(spread % (kLongestText - kShortestText + 1));
}

Result<double> SumOverRanks(Communicator& world, double value) {
  std::vector<double> all(static_cast<size_t>(world.size()));
  NEMO_RETURN_IF_ERROR(
      world.AllGather(std::as_bytes(std::span(&value, 1)), std::as_writable_bytes(std::span(all))));
  return std::accumulate(all.begin(), all.end(), 0.0);
}

EngineOptions OptionsFor(const EngineBenchOptions& options, int64_t prompt, int64_t batch,
                         int64_t generated) {
  EngineOptions engine;
  const int64_t decoded = generated > 0 ? generated + options.warmup_steps : 0;
  engine.max_step_tokens = std::max({options.prefill_chunk, batch, int64_t{1}});
  engine.max_sequences = std::max<int64_t>(1, batch);
  engine.max_sequence_tokens = std::max({prompt, decoded, int64_t{1}});
  engine.kv_pages = std::max(PagesFor(std::max<int64_t>(prompt, 1)), batch * PagesFor(decoded));
  if (options.texts > 0) {
    engine.max_sequences = std::max(engine.max_sequences, TextSlots(options));
    engine.max_sequence_tokens = std::max(engine.max_sequence_tokens, kLongestText);
    engine.kv_pages = std::max(engine.kv_pages, TextSlots(options) * PagesFor(kLongestText));
  }
  if (options.questions > 0) {
    engine.max_sequences = std::max(engine.max_sequences, kFewShotSlots);
    engine.max_sequence_tokens = std::max(engine.max_sequence_tokens, kFewShotTokens);
    engine.kv_pages = std::max(engine.kv_pages, kFewShotSlots * PagesFor(kFewShotTokens));
  }
  return engine;
}

Result<StepTimes> MeasurePrefill(Engine& engine, const EngineBenchOptions& options, int64_t tokens,
                                 int64_t repetitions) {
  StepTimes times;
  RandomTokens random(engine);
  for (int64_t run = 0; run <= repetitions; ++run) {
    engine.kv().book().Free(0);
    NEMO_RETURN_IF_ERROR(engine.kv().book().Reserve(0, tokens));
    std::vector<Batch> batches;
    for (int64_t begin = 0; begin < tokens; begin += options.prefill_chunk) {
      SequenceStep step;
      step.start = begin;
      for (int64_t i = begin; i < std::min(tokens, begin + options.prefill_chunk); ++i) {
        step.token_ids.push_back(random.Next());
      }
      step.num_logit_rows = begin + options.prefill_chunk >= tokens ? 1 : 0;
      batches.push_back({{std::move(step)}});
    }
    const auto prompt = [&] {
      for (const Batch& batch : batches) NEMO_RETURN_IF_ERROR(engine.Forward(batch).error());
      return OkStatus();
    };
    NEMO_RETURN_IF_ERROR(Clock(engine, options, prompt, run > 0 ? &times : nullptr));
  }
  engine.kv().book().Free(0);
  return times;
}

Result<StepTimes> MeasureDecode(Engine& engine, const EngineBenchOptions& options, int64_t batch,
                                int64_t steps) {
  StepTimes times;
  RandomTokens random(engine);
  const int64_t all_steps = steps + options.warmup_steps;
  for (int64_t slot = 0; slot < batch; ++slot) {
    NEMO_RETURN_IF_ERROR(engine.kv().book().Reserve(slot, all_steps));
  }
  for (int64_t position = 0; position < all_steps; ++position) {
    Batch tokens;
    for (int64_t slot = 0; slot < batch; ++slot) {
      SequenceStep step;
      step.slot = slot;
      step.start = position;
      step.token_ids = {random.Next()};
      step.num_logit_rows = 1;
      tokens.sequences.push_back(std::move(step));
    }
    NEMO_RETURN_IF_ERROR(Clock(
        engine, options, [&] { return engine.Forward(tokens).error(); },
        position >= options.warmup_steps ? &times : nullptr));
  }
  for (int64_t slot = 0; slot < batch; ++slot) engine.kv().book().Free(slot);
  return times;
}

Result<StepTimes> MeasureScoring(Engine& engine, const EngineBenchOptions& options,
                                 int64_t repetitions) {
  StepTimes times;
  const std::vector<Batch> steps = ScoringSteps(options, RandomTokens(engine));
  for (int64_t slot = 0; slot < TextSlots(options); ++slot) {
    NEMO_RETURN_IF_ERROR(engine.kv().book().Reserve(slot, kLongestText));
  }
  const auto score = [&] {
    for (const Batch& step : steps) NEMO_RETURN_IF_ERROR(engine.Forward(step).error());
    return OkStatus();
  };
  for (int64_t run = 0; run <= repetitions; ++run) {
    NEMO_RETURN_IF_ERROR(Clock(engine, options, score, run > 0 ? &times : nullptr));
  }
  for (int64_t slot = 0; slot < TextSlots(options); ++slot) engine.kv().book().Free(slot);
  return times;
}

Result<std::vector<float>> LogitsOf(Engine& engine, int64_t tokens) {
  RandomTokens random(engine);
  NEMO_RETURN_IF_ERROR(engine.kv().book().Reserve(0, tokens));
  SequenceStep step;
  for (int64_t i = 0; i < tokens; ++i) step.token_ids.push_back(random.Next());
  step.num_logit_rows = step.num_whole_rows = tokens;
  NEMO_ASSIGN_OR_RETURN(const std::vector<LogitRow> rows, engine.Forward({{std::move(step)}}));
  engine.kv().book().Free(0);
  std::vector<float> logits;
  for (const LogitRow& row : rows) {
    logits.insert(logits.end(), row.logits.begin(), row.logits.end());
  }
  return logits;
}

Work PrefillWork(const ModelConfig& config, int64_t tokens, int64_t chunk) {
  const Products products = ProductsOf(config);
  const auto count = static_cast<double>(tokens);
  const auto chunks = static_cast<double>((tokens + chunk - 1) / chunk);
  Work work;
  // Every chunk reads the weights, and the keys and values of what came before it.
  work.read_bytes =
      2 * (products.layers * chunks + products.head) + KvBytes(config) * count * (chunks - 1) / 2;
  work.write_bytes = KvBytes(config) * count;
  work.flops = 2 * (products.layers * count + products.head) +
               AttentionFlops(config) * count * (count + 1) / 2;
  return work;
}

Work ScoringWork(const ModelConfig& config, const EngineBenchOptions& options) {
  const Products products = ProductsOf(config);
  double tokens = 0, pairs = 0;
  for (int64_t text = 0; text < options.texts; ++text) {
    const auto size = static_cast<double>(TokensOfText(text));
    tokens += size;
    pairs += size * (size + 1) / 2;
  }
  Work work;
  const double steps = std::ceil(tokens / static_cast<double>(options.prefill_chunk));
  work.read_bytes = 2 * steps * (products.layers + products.head);
  work.write_bytes = KvBytes(config) * tokens;
  work.flops = 2 * tokens * (products.layers + products.head) + AttentionFlops(config) * pairs;
  return work;
}

Work DecodeWork(const ModelConfig& config, int64_t batch, int64_t steps) {
  const Products products = ProductsOf(config);
  const auto sequences = static_cast<double>(batch);
  const double seen = sequences * static_cast<double>(steps) / 2;
  Work work;
  work.read_bytes = 2 * (products.layers + products.head) + KvBytes(config) * seen;
  work.write_bytes = KvBytes(config) * sequences;
  work.flops = 2 * sequences * (products.layers + products.head) + AttentionFlops(config) * seen;
  return work;
}

LogitsDifference CompareLogits(std::span<const float> got, std::span<const float> expected,
                               int64_t columns) {
  NEMO_CHECK(got.size() == expected.size() && std::ssize(got) % columns == 0);
  LogitsDifference difference;
  double squares = 0, expected_squares = 0, largest = 0, expected_largest = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double d = double{got[i]} - expected[i];
    squares += d * d;
    expected_squares += double{expected[i]} * expected[i];
    // NaN must not hide behind a maximum.
    largest = std::isnan(d) ? d : std::isnan(largest) ? largest : std::max(largest, std::fabs(d));
    expected_largest = std::max(expected_largest, std::fabs(double{expected[i]}));
    difference.num_different += std::memcmp(&got[i], &expected[i], sizeof(float)) != 0;
  }
  for (size_t row = 0; row < got.size(); row += static_cast<size_t>(columns)) {
    const auto best = [&](std::span<const float> all) {
      const auto logits = all.subspan(row, static_cast<size_t>(columns));
      return std::max_element(logits.begin(), logits.end()) - logits.begin();
    };
    difference.num_argmax_different += best(got) != best(expected);
  }
  if (difference.num_different > 0) {
    difference.relative_rms = std::sqrt(squares / expected_squares);
    difference.largest = largest / expected_largest;
  }
  return difference;
}

}  // namespace nemo
