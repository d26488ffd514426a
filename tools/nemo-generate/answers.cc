#include "tools/nemo-generate/answers.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>
#include <vector>

#include "libcore/base/format.h"

namespace nemo {
namespace {

/// The sentences in the order of the prompts, each as soon as it and those before it are there,
/// under a heading when there are several; with --logprobs a table of its tokens. With --stream
/// one after the other, token by token.
class TextAnswers final : public AnswerSink {
 public:
  TextAnswers(const Session& session, const Work& work, const Console& console)
      : session_(session), work_(work), console_(console) {}

  void OnText(int64_t index, std::string_view text) override {
    if (!is_open_) {
      if (index > 0) console_.Print("\n");
      const auto prompt = session_.model.tokenizer->Decode(work_.requests[index].prompt_ids);
      if (prompt) console_.Print(*prompt);
      is_open_ = true;
    }
    console_.Print(text);
    std::fflush(stdout);
  }

  Status Take(int64_t index, GenerateResult result) override {
    waiting_.emplace(index, std::move(result));
    for (auto it = waiting_.find(next_); it != waiting_.end(); it = waiting_.find(next_)) {
      Print(it->first, it->second);
      waiting_.erase(it);
      ++next_;
    }
    std::fflush(stdout);
    return OkStatus();
  }

  Status Finish(const RunReport&) override { return OkStatus(); }

  void Stop() override {
    if (is_open_) console_.Print("\n");
    for (const auto& [index, result] : waiting_) Print(index, result);
  }

 private:
  void Print(int64_t index, const GenerateResult& result) {
    const size_t count = work_.requests.size();
    std::string text;
    if (session_.job.stream) {
      text = "\n";
      is_open_ = false;
    } else {
      if (count > 1) text = Format("{}== {} of {} ==\n", index > 0 ? "\n" : "", index + 1, count);
      text += result.text + "\n";
    }
    const PromptParams& params = work_.prompts[index].params;
    if (params.logprobs || params.all_probs) text += "\n" + LogprobTable(result);
    console_.Print(text);
  }

  const Session& session_;
  const Work& work_;
  const Console& console_;
  std::map<int64_t, GenerateResult> waiting_;  // finished before one that stands before them
  int64_t next_ = 0;
  bool is_open_ = false;  // a streamed sentence has begun
};

/// One object with NeMo's keys at the end: "sentences", "tokens", "token_ids", "logprob" (null
/// unless asked for), "full_logprob" (only when asked for), "offsets"; and "seed" (null when
/// nothing is drawn), "timing".
class JsonAnswers final : public AnswerSink {
 public:
  JsonAnswers(const Work& work, const Console& console)
      : work_(work), console_(console), answers_(work.requests.size()) {}

  Status Take(int64_t index, GenerateResult result) override {
    answers_[index] = AnswerValue(work_.prompts[index].params, work_.requests[index], result);
    return OkStatus();
  }

  Status Finish(const RunReport& report) override {
    Value value;
    value.Set("sentences", Column("sentence"));
    value.Set("tokens", Column("tokens"));
    value.Set("token_ids", Column("token_ids"));
    value.Set("logprob", Column("logprob"));
    if (Value rows = Column("full_logprob"); !rows.is_null()) {
      value.Set("full_logprob", std::move(rows));
    }
    value.Set("offsets", Column("offsets"));
    const bool draws = std::any_of(work_.prompts.begin(), work_.prompts.end(), DrawsFromRunSeed);
    value.Set("seed", draws ? Value(static_cast<int64_t>(work_.seed)) : Value());
    value.Set("timing", TimingValue(report));
    console_.PrintJson(value);
    return OkStatus();
  }

 private:
  /// A member of all answers; null when it is so in all of them.
  Value Column(std::string_view key) {
    Value::Array column;
    bool some = false;
    for (Value& answer : answers_) {
      Value& cell = column.emplace_back();
      for (auto& [name, field] : answer.as_object()) {
        if (name == key) cell = std::move(field);
      }
      some = some || !cell.is_null();
    }
    return some ? Value(std::move(column)) : Value();
  }

  const Work& work_;
  const Console& console_;
  std::vector<Value> answers_;
};

class FileAnswers final : public AnswerSink {
 public:
  FileAnswers(const Session& session, const Work& work, AnswerFile& file, const Console& console)
      : session_(session),
        work_(work),
        file_(file),
        console_(console),
        num_kept_(file.num_finished()) {}

  Status Take(int64_t index, GenerateResult result) override {
    return file_.Add(index,
                     AnswerValue(work_.prompts[index].params, work_.requests[index], result));
  }

  Status Finish(const RunReport& report) override {
    NEMO_RETURN_IF_ERROR(file_.Finish());
    if (!console_.json()) {
      console_.Note(Format("{}: {} answers{}", session_.job.output, file_.num_finished(),
                           num_kept_ > 0 ? Format(", {} of them kept", num_kept_) : ""));
      return OkStatus();
    }
    Value value;
    value.Set("output", session_.job.output);
    value.Set("answers", file_.num_finished());
    value.Set("kept", num_kept_);
    value.Set("timing", TimingValue(report));
    console_.PrintJson(value);
    return OkStatus();
  }

  void Stop() override {
    console_.Note(Format("{}: {} of {} answers are kept; --resume goes on from there",
                         session_.job.output, file_.num_finished(), work_.requests.size()));
  }

 private:
  const Session& session_;
  const Work& work_;
  AnswerFile& file_;
  const Console& console_;
  int64_t num_kept_;  // from an earlier run
};

}  // namespace

std::unique_ptr<AnswerSink> MakeAnswerSink(const Session& session, const Work& work,
                                           AnswerFile* file, const Console& console) {
  if (file != nullptr) return std::make_unique<FileAnswers>(session, work, *file, console);
  if (console.json()) return std::make_unique<JsonAnswers>(work, console);
  return std::make_unique<TextAnswers>(session, work, console);
}

}  // namespace nemo
