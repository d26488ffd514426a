#include "tools/nemo-bench/engine/few_shot.h"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/runtime/generator.h"
#include "libcore/text/tokenizer.h"
#include "tools/nemo-bench/engine/step_clock.h"

namespace nemo {
namespace {

/// A generator wants words for what it scores; random weights have none.
class NoWords final : public Tokenizer {
 public:
  explicit NoWords(int64_t vocab_size) : vocab_size_(vocab_size) {}
  int64_t vocab_size() const override { return vocab_size_; }
  Result<std::vector<int32_t>> Encode(std::string_view) const override {
    return std::vector<int32_t>();
  }
  Result<std::string> Decode(std::span<const int32_t>) const override { return std::string(); }
  const std::string& Piece(int32_t) const override { return piece_; }
  bool IsControl(int32_t) const override { return false; }
  bool IsByte(int32_t) const override { return false; }
  int32_t unk_id() const override { return -1; }
  int32_t bos_id() const override { return -1; }
  int32_t eos_id() const override { return -1; }
  int32_t pad_id() const override { return -1; }

 private:
  int64_t vocab_size_;
  std::string piece_;
};

void Append(std::vector<int32_t>& ids, int64_t count, RandomTokens& random) {
  for (int64_t i = 0; i < count; ++i) ids.push_back(random.Next());
}

/// A request for each question: the row of logits after it answers for all choices.
std::vector<GenerateRequest> Requests(int64_t num_questions, RandomTokens& random) {
  std::vector<GenerateRequest> requests;
  std::vector<int32_t> head;
  for (int64_t question = 0; question < num_questions; ++question) {
    if (question % kQuestionsOfSubject == 0) {
      head.clear();
      Append(head, kHeadTokens, random);
    }
    GenerateRequest request;
    request.prompt_ids = head;
    Append(request.prompt_ids, kQuestionTokens + 1, random);
    request.tokens_to_generate = 0;
    request.logprobs = request.full_logprobs = true;
    request.logprobs_begin = kHeadTokens + kQuestionTokens - 1;
    requests.push_back(std::move(request));
  }
  return requests;
}

}  // namespace

Result<StepTimes> MeasureFewShot(Engine& engine, const EngineBenchOptions& options,
                                 int64_t repetitions) {
  StepTimes times;
  RandomTokens random(engine);
  const NoWords words(engine.config().vocab_size);
  for (int64_t run = 0; run <= repetitions; ++run) {
    NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Generator> generator,
                          Generator::Create(engine, words, {}));
    for (GenerateRequest& request : Requests(options.questions, random)) {
      NEMO_RETURN_IF_ERROR(generator->Add(std::move(request)).error());
    }
    const auto answer_all = [&]() -> Status {
      while (!generator->idle()) NEMO_RETURN_IF_ERROR(generator->Step());
      return OkStatus();
    };
    NEMO_RETURN_IF_ERROR(Clock(engine, options, answer_all, run > 0 ? &times : nullptr));
  }
  return times;
}

Work FewShotWork(const ModelConfig& config, const EngineBenchOptions& options) {
  Work work;
  for (int64_t begin = 0; begin < options.questions; begin += kQuestionsOfSubject) {
    const auto count =
        static_cast<double>(std::min(kQuestionsOfSubject, options.questions - begin));
    const Work head = PrefillWork(config, kHeadTokens, options.prefill_chunk);
    const Work whole = PrefillWork(config, kHeadTokens + kQuestionTokens, options.prefill_chunk);
    work.flops += head.flops + count * (whole.flops - head.flops);
    work.write_bytes += head.write_bytes + count * (whole.write_bytes - head.write_bytes);
    // Questions share steps: weights are read once for each step's worth of tokens.
    work.read_bytes += head.read_bytes * (1 + count * kQuestionTokens / kHeadTokens);
  }
  return work;
}

}  // namespace nemo
