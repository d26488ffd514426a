// EndCondition: when NeMo's server says that a sequence is done. Facts: end_of_generation_condition
// in nemo/collections/nlp/modules/common/text_generation_strategy.py.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/text/tokenizer.h"

namespace nemo {

/// The eos id always ends a sequence. An end string that is one token after "<extra_id_1>" ends it
/// by that token's id; any other by the text of the whole sequence, prompt included, ending with
/// it.
class EndCondition {
 public:
  static Result<EndCondition> Create(const Tokenizer& tokenizer,
                                     std::span<const std::string> end_strings);

  /// `ids` is the whole sequence; its last id is the newest. Refers to the tokenizer given to
  /// Create.
  Result<bool> Reached(std::span<const int32_t> ids) const;

  const std::vector<int32_t>& end_ids() const { return end_ids_; }
  const std::vector<std::string>& end_texts() const { return end_texts_; }

 private:
  explicit EndCondition(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}
  Result<bool> TextEndsWith(std::span<const int32_t> ids, const std::string& end_text) const;

  const Tokenizer* tokenizer_;
  std::vector<int32_t> end_ids_;
  std::vector<std::string> end_texts_;
};

}  // namespace nemo
