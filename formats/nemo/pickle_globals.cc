#include "formats/nemo/pickle_globals.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace nemo {
namespace {

constexpr char kGlobal = 'c', kInst = 'i', kStop = '.', kStackGlobal = '\x93', kMemoize = '\x94';
constexpr std::string_view kTexts = "VSTUX\x8c\x8d", kPuts = "qr", kGets = "hj";
constexpr size_t kMaxNameBytes = 200;

/// Opcodes by the shape of their argument.
constexpr std::string_view kNoArgument =
    "012NQRabde}l]ost)u(.\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98";
constexpr std::string_view kOneLine = "FILSVPgp";
constexpr std::string_view kTwoLines = "ci";
constexpr std::string_view kBytes1 = "Khq\x80\x82", kBytes2 = "M\x83", kBytes4 = "Jjr\x84",
                           kBytes8 = "G\x95";
constexpr std::string_view kCounted1 = "UC\x8a\x8c", kCounted4 = "TXB\x8b",
                           kCounted8 = "\x8d\x8e\x96";

bool In(std::string_view opcodes, char opcode) {
  return opcodes.find(opcode) != std::string_view::npos;
}

uint64_t Little(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

/// Takes arguments off the front of a pickle; nullopt when it ends too early.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  std::optional<std::string_view> Take(uint64_t size) {
    if (size > left_.size()) return std::nullopt;
    const std::string_view taken = left_.substr(0, static_cast<size_t>(size));
    left_.remove_prefix(static_cast<size_t>(size));
    return taken;
  }
  std::optional<std::string_view> TakeLine() {
    const size_t end = left_.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view line = left_.substr(0, end);
    left_.remove_prefix(end + 1);
    return line;
  }
  std::optional<std::string_view> TakeCounted(size_t count_bytes) {
    const auto count = Take(count_bytes);
    return count ? Take(Little(*count)) : std::nullopt;
  }
  /// The argument of `opcode`; for two lines both, with a blank between them.
  std::optional<std::string> TakeArgument(char opcode) {
    if (In(kTwoLines, opcode)) {
      const auto module = TakeLine();
      const auto name = module ? TakeLine() : std::nullopt;
      if (!name) return std::nullopt;
      return std::string(*module) + " " + std::string(*name);
    }
    const std::optional<std::string_view> argument = In(kNoArgument, opcode) ? Take(0)
                                                     : In(kOneLine, opcode)  ? TakeLine()
                                                     : In(kBytes1, opcode)   ? Take(1)
                                                     : In(kBytes2, opcode)   ? Take(2)
                                                     : In(kBytes4, opcode)   ? Take(4)
                                                     : In(kBytes8, opcode)   ? Take(8)
                                                     : In(kCounted1, opcode) ? TakeCounted(1)
                                                     : In(kCounted4, opcode) ? TakeCounted(4)
                                                     : In(kCounted8, opcode) ? TakeCounted(8)
                                                                             : std::nullopt;
    if (!argument) return std::nullopt;
    return std::string(argument->substr(0, kMaxNameBytes));
  }

 private:
  std::string_view left_;
};

}  // namespace

std::vector<std::string> PickleGlobals(std::string_view bytes) {
  std::vector<std::string> globals;
  std::pair<std::string, std::string> texts;  // the last but one and the last that were pushed
  std::map<uint64_t, std::string> memo;
  bool text_on_top = false;
  Reader reader(bytes);
  while (const auto opcode = reader.Take(1)) {
    const char op = opcode->front();
    const auto argument = reader.TakeArgument(op);
    if (!argument || op == kStop) break;
    if (op == kGlobal || op == kInst) globals.push_back(*argument);
    if (op == kStackGlobal) globals.push_back(texts.first + " " + texts.second);
    // What is put while something else is on top must not shadow a text, so it is kept as an empty
    // one.
    const std::string top = text_on_top ? texts.second : "";
    if (op == kMemoize) memo.emplace(memo.size(), top);
    if (In(kPuts, op)) memo[Little(*argument)] = top;
    if (In(kTexts, op) || In(kGets, op)) {
      texts.first = std::move(texts.second);
      texts.second = In(kTexts, op) ? *argument : memo[Little(*argument)];
    }
    if (op != kMemoize && !In(kPuts, op)) text_on_top = In(kTexts, op) || In(kGets, op);
  }
  return globals;
}

}  // namespace nemo
