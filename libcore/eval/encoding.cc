#include "libcore/eval/encoding.h"

#include <algorithm>

#include "libcore/base/format.h"
#include "libcore/eval/python_text.h"

namespace nemo::eval {
namespace {

/// The id that stands for "nothing before".
Result<int32_t> FirstId(const Tokenizer& tokenizer) {
  if (tokenizer.bos_id() >= 0) return tokenizer.bos_id();
  if (tokenizer.eos_id() >= 0) return tokenizer.eos_id();
  return InvalidArgument("the tokenizer has neither bos nor eos, and a context has no tokens");
}

/// The ids of a text; bos in front where it is wanted and the text does not spell it already.
Result<std::vector<int32_t>> Encode(const Tokenizer& tokenizer, std::string_view text,
                                    const EncodingOptions& options) {
  NEMO_ASSIGN_OR_RETURN(std::vector<int32_t> ids, tokenizer.Encode(text));
  if (!options.add_bos) return ids;
  const int32_t bos = tokenizer.bos_id();
  if (bos < 0) return InvalidArgument("bos is asked for, and this tokenizer has none");
  if (!text.starts_with(tokenizer.Piece(bos))) ids.insert(ids.begin(), bos);
  return ids;
}

void KeepLast(std::vector<int32_t>& ids, int64_t count) {
  if (std::ssize(ids) > count) ids.erase(ids.begin(), ids.end() - count);
}

/// What a continuation without a context is asked after: bos, unless it begins with that itself.
Result<ScoredIds> WithoutContext(const Tokenizer& tokenizer, std::vector<int32_t> continuation) {
  NEMO_ASSIGN_OR_RETURN(const int32_t first, FirstId(tokenizer));
  if (continuation.empty() || continuation[0] != first) {
    continuation.insert(continuation.begin(), first);
  }
  const int64_t num_scored = std::ssize(continuation) - 1;
  return ScoredIds{std::move(continuation), num_scored, 1};
}

Result<ScoredIds> Cut(ScoredIds scored, const EncodingOptions& options) {
  if (scored.num_scored < 1) return InvalidArgument("a continuation has no tokens");
  if (scored.num_scored > options.max_length) {
    return InvalidArgument(Format("a continuation has {} tokens, more than the {} of --max-length",
                                  scored.num_scored, options.max_length));
  }
  KeepLast(scored.ids, options.max_length + 1);
  return scored;
}

}  // namespace

Result<ScoredIds> EncodeScored(const Tokenizer& tokenizer, std::string_view context,
                               std::string_view continuation, const EncodingOptions& options) {
  const std::string whole = std::string(context) + std::string(continuation);
  NEMO_ASSIGN_OR_RETURN(std::vector<int32_t> whole_ids, Encode(tokenizer, whole, options));
  std::vector<int32_t> ids;
  if (!context.empty()) {
    NEMO_ASSIGN_OR_RETURN(ids, Encode(tokenizer, StripRight(context), options));
  }
  if (ids.empty()) {
    NEMO_ASSIGN_OR_RETURN(ScoredIds scored, WithoutContext(tokenizer, std::move(whole_ids)));
    return Cut(std::move(scored), options);
  }
  // Only the tail of the whole counts; before it stands what the context alone encodes to.
  const int64_t num_context = std::ssize(ids);
  const int64_t num_scored = std::max<int64_t>(0, std::ssize(whole_ids) - num_context);
  ids.insert(ids.end(), whole_ids.end() - num_scored, whole_ids.end());
  return Cut({std::move(ids), num_scored, num_context}, options);
}

Result<std::vector<int32_t>> EncodeContext(const Tokenizer& tokenizer, std::string_view context,
                                           int64_t max_tokens, const EncodingOptions& options) {
  if (max_tokens >= options.max_length) {
    return InvalidArgument(
        Format("{} tokens are to be generated, and --max-length is {}: nothing "
               "is left for the question",
               max_tokens, options.max_length));
  }
  NEMO_ASSIGN_OR_RETURN(std::vector<int32_t> ids, Encode(tokenizer, context, options));
  if (ids.empty()) {
    NEMO_ASSIGN_OR_RETURN(const int32_t first, FirstId(tokenizer));
    ids.push_back(first);
  }
  KeepLast(ids, options.max_length - max_tokens);
  return ids;
}

Result<std::vector<ScoredIds>> EncodeRolling(const Tokenizer& tokenizer, std::string_view text,
                                             const EncodingOptions& options) {
  NEMO_ASSIGN_OR_RETURN(const int32_t first, FirstId(tokenizer));
  NEMO_ASSIGN_OR_RETURN(std::vector<int32_t> ids, Encode(tokenizer, text, options));
  if (ids.empty()) return InvalidArgument("a text has no tokens");
  ids.insert(ids.begin(), first);
  std::vector<ScoredIds> windows;
  const int64_t count = std::ssize(ids);
  for (int64_t begin = 1; begin < count; begin += options.max_length) {
    const int64_t end = std::min(begin + options.max_length, count);
    const int64_t from = std::max<int64_t>(0, end - options.max_length - 1);
    windows.push_back({{ids.begin() + from, ids.begin() + end}, end - begin, begin - from});
  }
  return windows;
}

}  // namespace nemo::eval
