// A TensorSink that writes members (members.h): as one tar archive, as one file, or as the files of
// one folder. Every byte's place is fixed by the declaration, whatever the packaging.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/nemo/members.h"
#include "libcore/tensor/sink.h"

namespace nemo {

enum class Packaging {
  kArchive,  ///< a tar file
  kFile,     ///< there is one member: it is the file
  kFolder,   ///< a folder with a file per member, named as the last part of the member's name
};

/// The members that hold `tensors`, each tensor once.
using MembersOf = std::function<std::vector<Member>(std::span<const SinkTensor> tensors)>;

/// Writes at `path` (as `path`.partial until Finish). The checksums that Finish is given have no
/// place in it; those of torch files are summed up as the tensors pass.
std::unique_ptr<TensorSink> CreateMemberSink(const std::string& path, Packaging packaging,
                                             MembersOf members_of);
/// The same, but the file is `path` from beginning to end: who made the sink publishes it.
std::unique_ptr<TensorSink> CreateUnpublishedSink(const std::string& path, Packaging packaging,
                                                  MembersOf members_of);

}  // namespace nemo
