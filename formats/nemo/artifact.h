// The tokenizer of a .nemo: a member at the top, named `<32 hex digits>_<original name>`, which the
// config refers to as `nemo:<that name>`. Facts: nemo/core/connectors/save_restore_connector.py.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/file.h"
#include "libcore/base/status.h"

namespace nemo {

/// What stands before a member's name in the config.
inline constexpr std::string_view kArtifactScheme = "nemo:";

struct TokenizerArtifact {
  std::string name;   ///< member; empty: the checkpoint has none
  std::string bytes;  ///< SentencePiece model
};

/// The first of `references` that is in `tree`: by member name, or for a path of another machine by
/// its base name with or without the hash. With no `nemo:` reference among them, the only `*.model`
/// at the top will do. kCorruption: a `nemo:` reference, and none of the references is there.
Result<TokenizerArtifact> FindTokenizer(const FileTree& tree,
                                        const std::vector<std::string>& references);

/// The members that `references` ask for by `nemo:`, each once.
std::vector<std::string> ReferencedMembers(const std::vector<std::string>& references);

/// The member for a tokenizer with these bytes that was a file `path` somewhere: NeMo takes a
/// random number for its hash; this one depends on the bytes, so that equal input gives equal
/// archives.
std::string ArtifactName(std::string_view path, std::string_view bytes);

}  // namespace nemo
