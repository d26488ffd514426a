#include "formats/nemo/artifact.h"

#include <algorithm>
#include <span>
#include <utility>

#include "formats/format.h"
#include "libcore/base/format.h"
#include "libcore/base/hash.h"

namespace nemo {
namespace {

constexpr size_t kHashDigits = 32;

bool IsTokenizerName(std::string_view file) {
  return file.ends_with(".model") && file.find('/') == std::string_view::npos &&
         !file.starts_with("._");  // macOS writes its attributes beside the file
}

std::vector<std::string> TokenizerFiles(const FileTree& tree) {
  std::vector<std::string> found;
  std::copy_if(tree.files().begin(), tree.files().end(), std::back_inserter(found),
               IsTokenizerName);
  return found;
}

std::string_view WithoutHash(std::string_view name) {
  if (name.size() <= kHashDigits || name[kHashDigits] != '_') return name;
  const std::string_view hash = name.substr(0, kHashDigits);
  const bool hex = hash.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return hex ? name.substr(kHashDigits + 1) : name;
}

/// The member that `reference` means; empty when it is not there.
std::string MemberOf(const FileTree& tree, std::string_view reference) {
  if (reference.starts_with(kArtifactScheme)) {
    const std::string name(reference.substr(kArtifactScheme.size()));
    return tree.Contains(name) ? name : "";
  }
  const std::string base = BaseName(reference);
  for (const std::string& file : tree.files()) {
    if (file.find('/') == std::string::npos && (file == base || WithoutHash(file) == base))
      return file;
  }
  return "";
}

Status Missing(const FileTree& tree, const std::string& reference) {
  const std::vector<std::string> others = TokenizerFiles(tree);
  return Corruption(Format(
      "missing tokenizer: model_config.yaml names '{}', and there is no such file{}; add it, or "
      "correct tokenizer.model",
      reference, others.empty() ? std::string() : Format(" (there is {})", FormatList(others))));
}

Result<std::string> Choose(const FileTree& tree, const std::vector<std::string>& references) {
  const std::string* named = nullptr;
  for (const std::string& reference : references) {
    std::string member = MemberOf(tree, reference);
    if (!member.empty()) return member;
    if (named == nullptr && reference.starts_with(kArtifactScheme)) named = &reference;
  }
  if (named != nullptr) return Missing(tree, *named);
  std::vector<std::string> files = TokenizerFiles(tree);
  return files.size() == 1 ? std::move(files.front()) : std::string();
}

}  // namespace

Result<TokenizerArtifact> FindTokenizer(const FileTree& tree,
                                        const std::vector<std::string>& references) {
  TokenizerArtifact artifact;
  NEMO_ASSIGN_OR_RETURN(artifact.name, Choose(tree, references));
  if (artifact.name.empty()) return artifact;
  NEMO_ASSIGN_OR_RETURN(const auto file, tree.Open(artifact.name));
  NEMO_ASSIGN_OR_RETURN(artifact.bytes, ReadAll(*file, kMaxTokenizerBytes));
  if (artifact.bytes.empty()) {
    return Corruption(
        Format("tokenizer '{}' is empty; the save or the copy is incomplete", artifact.name));
  }
  return artifact;
}

std::vector<std::string> ReferencedMembers(const std::vector<std::string>& references) {
  std::vector<std::string> members;
  for (const std::string& reference : references) {
    if (!reference.starts_with(kArtifactScheme)) continue;
    std::string member = reference.substr(kArtifactScheme.size());
    if (std::find(members.begin(), members.end(), member) == members.end()) {
      members.push_back(std::move(member));
    }
  }
  return members;
}

std::string ArtifactName(std::string_view path, std::string_view bytes) {
  const std::string base = BaseName(path);
  std::string name(WithoutHash(base));
  for (char& c : name) {
    const bool plain = std::string_view("-._").find(c) != std::string_view::npos ||
                       (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!plain) c = '_';
  }
  if (!IsTokenizerName(name)) name = "tokenizer.model";
  return Format("{}_{}", HashHex(std::as_bytes(std::span(bytes))), name);
}

}  // namespace nemo
