#include "formats/hf/tokenizer_json.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "libcore/base/format.h"
#include "libcore/base/json.h"

namespace nemo::hf {
namespace {

using Piece = PieceModel::Piece;
using Type = PieceModel::Type;

constexpr std::string_view kSpace = "\xe2\x96\x81";  // U+2581
constexpr int64_t kNumBytes = 256;
/// Longer pieces nobody trains; the search for merges takes time in the square of the length.
constexpr size_t kMaxPieceBytes = 512;

bool IsExpressible(const PieceModel& model) {
  if (model.kind != PieceModel::Kind::kBpe || model.has_chars_map ||
      model.remove_extra_whitespaces || !model.escape_whitespaces ||
      model.treat_whitespace_as_suffix) {
    return false;
  }
  const auto count = [&](Type type) {
    return std::count_if(model.pieces.begin(), model.pieces.end(),
                         [&](const Piece& piece) { return piece.type == type; });
  };
  if (count(Type::kUnused) > 0 || count(Type::kByte) != kNumBytes || count(Type::kUnknown) != 1) {
    return false;
  }
  // Merges are tried in the order of ids here, in that of scores there.
  float last = 0;
  bool first = true;
  for (const Piece& piece : model.pieces) {
    if (piece.type != Type::kNormal) continue;
    if ((!first && piece.score > last) || piece.text.size() > kMaxPieceBytes) return false;
    last = piece.score;
    first = false;
  }
  return true;
}

std::string Quoted(std::string_view text) { return ToJson(Value(text)); }

bool IsCharacterStart(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

/// ["front","back"],...: every pair of pieces that makes another one, in the order of that one.
std::string Merges(const std::vector<Piece>& pieces) {
  std::unordered_map<std::string_view, size_t> ids;
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (pieces[id].type == Type::kNormal) ids.emplace(pieces[id].text, id);
  }
  std::string out;
  for (const Piece& piece : pieces) {
    if (piece.type != Type::kNormal) continue;
    const std::string_view text = piece.text;
    std::vector<std::pair<size_t, size_t>> pairs;
    for (size_t cut = 1; cut < text.size(); ++cut) {
      if (!IsCharacterStart(text[cut])) continue;
      const auto front = ids.find(text.substr(0, cut)), back = ids.find(text.substr(cut));
      if (front != ids.end() && back != ids.end()) pairs.emplace_back(front->second, back->second);
    }
    std::sort(pairs.begin(), pairs.end());
    for (const auto& [front, back] : pairs) {
      out += Format("{}[{},{}]", out.empty() ? "" : ",\n", Quoted(pieces[front].text),
                    Quoted(pieces[back].text));
    }
  }
  return out;
}

std::string Vocabulary(const std::vector<Piece>& pieces) {
  std::string out;
  for (size_t id = 0; id < pieces.size(); ++id) {
    out += Format("{}{}:{}", id == 0 ? "" : ",\n", Quoted(pieces[id].text), id);
  }
  return out;
}

Value AddedTokens(const std::vector<Piece>& pieces) {
  Value::Array tokens;
  for (size_t id = 0; id < pieces.size(); ++id) {
    if (pieces[id].type != Type::kControl && pieces[id].type != Type::kUnknown) continue;
    Value token;
    token.Set("id", static_cast<int64_t>(id));
    token.Set("content", pieces[id].text);
    for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized"}) {
      token.Set(flag, false);
    }
    token.Set("special", true);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

Value Step(std::string_view type, Value::Object fields) {
  Value::Object step = {{"type", type}};
  std::move(fields.begin(), fields.end(), std::back_inserter(step));
  return step;
}

Value Replace(std::string_view from, std::string_view to) {
  return Step("Replace", {{"pattern", Value::Object{{"String", from}}}, {"content", to}});
}

/// Matches stand alone; nothing merges across their edges.
Value Isolate(std::string regex) {
  return Step("Split", {{"pattern", Value::Object{{"Regex", std::move(regex)}}},
                        {"behavior", "Isolated"},
                        {"invert", false}});
}

/// Any of the user-defined pieces, the longest first, as SentencePiece finds them.
std::string AnyUserDefined(const std::vector<Piece>& pieces) {
  std::vector<std::string_view> texts;
  for (const Piece& piece : pieces) {
    if (piece.type == Type::kUserDefined) texts.push_back(piece.text);
  }
  std::stable_sort(texts.begin(), texts.end(),
                   [](std::string_view a, std::string_view b) { return a.size() > b.size(); });
  std::string regex;
  for (const std::string_view text : texts) {
    if (!regex.empty()) regex += '|';
    for (const char c : text) {
      if (std::ispunct(static_cast<unsigned char>(c)) != 0) regex += '\\';
      regex += c;
    }
  }
  return regex;
}

Value Normalizer(const PieceModel& model) {
  Value::Array steps;
  if (model.add_dummy_prefix) steps.push_back(Step("Prepend", {{"prepend", kSpace}}));
  steps.push_back(Replace(" ", kSpace));
  return Step("Sequence", {{"normalizers", std::move(steps)}});
}

/// User-defined pieces are parts of their own, which ignore_merges looks up; so would it a text
/// that spells a byte piece, if it were not cut.
Value PreTokenizer(const PieceModel& model) {
  Value::Array steps;
  if (std::string regex = AnyUserDefined(model.pieces); !regex.empty()) {
    steps.push_back(Isolate(std::move(regex)));
  }
  steps.push_back(Isolate("\\A<(?=0x[0-9A-F]{2}>\\z)"));
  return Step("Sequence", {{"pretokenizers", std::move(steps)}});
}

Value Decoder(const PieceModel& model) {
  Value::Array steps = {Replace(kSpace, " "), Step("ByteFallback", {}), Step("Fuse", {})};
  if (model.add_dummy_prefix) {
    steps.push_back(Step("Strip", {{"content", " "}, {"start", 1}, {"stop", 0}}));
  }
  return Step("Sequence", {{"decoders", std::move(steps)}});
}

std::string_view UnknownPiece(const std::vector<Piece>& pieces) {
  return std::find_if(pieces.begin(), pieces.end(),
                      [](const Piece& piece) { return piece.type == Type::kUnknown; })
      ->text;
}

}  // namespace

std::string TokenizerJson(const PieceModel& model) {
  if (!IsExpressible(model)) return "";
  return Format(
      "{{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\n"
      "\"added_tokens\":{},\n\"normalizer\":{},\n\"pre_tokenizer\":{},\n"
      "\"post_processor\":null,\n\"decoder\":{},\n"
      "\"model\":{{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":{},"
      "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,\"fuse_unk\":true,"
      "\"byte_fallback\":true,\"ignore_merges\":true,\n\"vocab\":{{{}}},\n\"merges\":[{}]}}}}\n",
      ToJson(AddedTokens(model.pieces)), ToJson(Normalizer(model)), ToJson(PreTokenizer(model)),
      ToJson(Decoder(model)), Quoted(UnknownPiece(model.pieces)), Vocabulary(model.pieces),
      Merges(model.pieces));
}

Value TokenizerConfigValue(const PieceModel& model, int64_t max_tokens, const SpecialIds& ids) {
  Value value;
  value.Set("tokenizer_class", "PreTrainedTokenizerFast");
  value.Set("model_max_length", max_tokens);
  value.Set("clean_up_tokenization_spaces", false);
  value.Set("unk_token", UnknownPiece(model.pieces));
  const std::pair<const char*, int64_t> special[] = {
      {"bos_token", ids.bos}, {"eos_token", ids.eos}, {"pad_token", ids.pad}};
  for (const auto& [name, id] : special) {
    if (id >= 0) value.Set(name, model.pieces[static_cast<size_t>(id)].text);
  }
  return value;
}

}  // namespace nemo::hf
