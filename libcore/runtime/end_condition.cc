#include "libcore/runtime/end_condition.h"

#include <algorithm>

namespace nemo {

Result<EndCondition> EndCondition::Create(const Tokenizer& tokenizer,
                                          std::span<const std::string> end_strings) {
  EndCondition condition(tokenizer);
  if (tokenizer.eos_id() >= 0) condition.end_ids_.push_back(tokenizer.eos_id());
  constexpr std::string_view kEndOfText = "<|endoftext|>";  // NeMo's word for the eos id
  const std::string probe = "<extra_id_1>";
  NEMO_ASSIGN_OR_RETURN(const std::vector<int32_t> probe_ids, tokenizer.Encode(probe));
  for (const std::string& end_string : end_strings) {
    if (end_string == kEndOfText) continue;
    NEMO_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, tokenizer.Encode(probe + end_string));
    const bool one_more = ids.size() == probe_ids.size() + 1 &&
                          std::equal(probe_ids.begin(), probe_ids.end(), ids.begin());
    if (one_more) {
      condition.end_ids_.push_back(ids.back());
    } else {
      condition.end_texts_.push_back(end_string);
    }
  }
  return condition;
}

Result<bool> EndCondition::Reached(std::span<const int32_t> ids) const {
  if (ids.empty()) return false;
  if (std::find(end_ids_.begin(), end_ids_.end(), ids.back()) != end_ids_.end()) return true;
  for (const std::string& end_text : end_texts_) {
    NEMO_ASSIGN_OR_RETURN(const bool ends, TextEndsWith(ids, end_text));
    if (ends) return true;
  }
  return false;
}

/// Decodes from the end only as far as the text needs: a tail that does not begin inside a
/// character and is at least as long decides like the whole.
Result<bool> EndCondition::TextEndsWith(std::span<const int32_t> ids,
                                        const std::string& end_text) const {
  for (size_t count = 8;; count *= 2) {
    size_t begin = ids.size() > count ? ids.size() - count : 0;
    while (begin > 0 && tokenizer_->IsByte(ids[begin])) --begin;
    NEMO_ASSIGN_OR_RETURN(const std::string text, tokenizer_->Decode(ids.subspan(begin)));
    if (begin == 0 || text.size() >= end_text.size()) return text.ends_with(end_text);
  }
}

}  // namespace nemo
