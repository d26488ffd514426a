#include "libcore/model/shard_rule.h"

#include <array>
#include <utility>

#include "libcore/base/format.h"

namespace nemo {
namespace {
constexpr std::array<std::pair<ShardRule, std::string_view>, 5> kRules = {{
    {ShardRule::kReplicate, "replicate"},
    {ShardRule::kSplitRows, "split_rows"},
    {ShardRule::kSplitCols, "split_cols"},
    {ShardRule::kQueryGroup, "query_group"},
    {ShardRule::kVocab, "vocab"},
}};
}  // namespace

std::string_view ShardRuleName(ShardRule rule) {
  for (const auto& [known, name] : kRules) {
    if (known == rule) return name;
  }
  NEMO_CHECK(false);
  return "";
}

Result<ShardRule> ParseShardRule(std::string_view name) {
  for (const auto& [rule, known] : kRules) {
    if (known == name) return rule;
  }
  return Corruption(Format("unknown shard rule '{}'", name));
}

}  // namespace nemo
