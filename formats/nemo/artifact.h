// The tokenizer of a .nemo: a member at the top, named `<32 hex digits>_<original name>`, which the
// config refers to as `nemo:<that name>`. Facts: nemo/core/connectors/save_restore_connector.py.
#pragma once

#include <string>
#include <vector>

#include "libcore/base/file.h"
#include "libcore/base/status.h"

namespace nemo {

struct TokenizerArtifact {
  std::string name;   ///< member; empty: the checkpoint has none
  std::string bytes;  ///< SentencePiece model
};

/// The first of `references` that is in `tree`: by member name, or for a path of another machine by
/// its base name with or without the hash. With no `nemo:` reference among them, the only `*.model`
/// at the top will do. kCorruption: a `nemo:` reference, and none of the references is there.
Result<TokenizerArtifact> FindTokenizer(const FileTree& tree,
                                        const std::vector<std::string>& references);

}  // namespace nemo
