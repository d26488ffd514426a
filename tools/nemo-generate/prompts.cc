#include "tools/nemo-generate/prompts.h"

#include <algorithm>
#include <cstdio>
#include <span>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "tools/common/terminal.h"

namespace nemo {
namespace {

constexpr int64_t kMaxPromptBytes = int64_t{256} << 20;

Result<std::string> ReadStandardInput() {
  std::string text;
  char block[1 << 16];
  for (size_t n = 0; (n = std::fread(block, 1, sizeof block, stdin)) > 0;) {
    text.append(block, n);
    if (static_cast<int64_t>(text.size()) > kMaxPromptBytes) {
      return InvalidArgument(Format("standard input holds more than {}, too much for prompts",
                                    FormatBytes(kMaxPromptBytes)));
    }
  }
  if (std::ferror(stdin) != 0) return IoError("standard input cannot be read");
  return text;
}

Result<std::string> PromptOfJson(std::string_view line) {
  NEMO_ASSIGN_OR_RETURN(const Value value, ParseJson(line));
  if (value.is_string()) return value.as_string();
  if (value.is_object()) return value.GetString("prompt");
  return Corruption(
      Format("a text or an object with \"prompt\" is wanted, not a {}", value.type_name()));
}

Result<std::vector<std::string>> PromptsOfFile(const std::string& path) {
  if (path == "-") {
    NEMO_ASSIGN_OR_RETURN(const std::string text, ReadStandardInput());
    return ParsePrompts(text, false, "standard input");
  }
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(path, kMaxPromptBytes));
  return ParsePrompts(text, path.ends_with(".jsonl"), path);
}

Result<std::string> PromptOfStandardInput() {
  const Status none =
      InvalidArgument("no prompt: give --prompt TEXT, --prompts FILE, or standard input");
  if (IsTerminal(stdin)) return none;
  NEMO_ASSIGN_OR_RETURN(std::string text, ReadStandardInput());
  // What echo and editors put at the end is no part of the prompt.
  if (text.ends_with('\n')) text.pop_back();
  if (text.empty()) return none;
  return text;
}

}  // namespace

Result<std::vector<std::string>> ParsePrompts(std::string_view text, bool jsonl,
                                              const std::string& where) {
  std::vector<std::string> prompts;
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    if (!jsonl) {
      prompts.emplace_back(line);
      continue;
    }
    auto prompt = PromptOfJson(line);
    if (!prompt) {
      return Corruption(prompt.error().At(Format("{}: line {}", where, number)).message());
    }
    prompts.push_back(*std::move(prompt));
  }
  if (prompts.empty()) return InvalidArgument(Format("{}: holds no prompt", where));
  return prompts;
}

Result<std::vector<std::string>> CollectPrompts(const GenerateJob& job) {
  std::vector<std::string> prompts = job.prompts;
  if (!job.prompts_file.empty()) {
    NEMO_ASSIGN_OR_RETURN(const std::vector<std::string> more, PromptsOfFile(job.prompts_file));
    prompts.insert(prompts.end(), more.begin(), more.end());
  }
  if (prompts.empty()) {
    NEMO_ASSIGN_OR_RETURN(std::string prompt, PromptOfStandardInput());
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

Result<std::vector<std::string>> SharePrompts(const GenerateJob& job, Communicator& world) {
  Result<std::vector<std::string>> prompts = std::vector<std::string>();
  if (world.rank() == 0) {
    prompts = CollectPrompts(job);
    if (!prompts) {
      world.Abort(prompts.error().message());
      return prompts;
    }
  }
  int64_t num_prompts = std::ssize(*prompts);
  NEMO_RETURN_IF_ERROR(world.Broadcast(std::as_writable_bytes(std::span(&num_prompts, 1)), 0));
  prompts->resize(num_prompts);
  for (std::string& prompt : *prompts) {
    int64_t size = std::ssize(prompt);
    NEMO_RETURN_IF_ERROR(world.Broadcast(std::as_writable_bytes(std::span(&size, 1)), 0));
    prompt.resize(size);
    NEMO_RETURN_IF_ERROR(
        world.Broadcast(std::as_writable_bytes(std::span(prompt.data(), prompt.size())), 0));
  }
  return prompts;
}

}  // namespace nemo
