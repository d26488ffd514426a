// A directory that appears whole or not at all: what the targets that write directories share.
// Everything grows in DST.partial; one rename publishes it. With force the old directory is moved
// aside to DST.old first and removed only when the new one stands.
#pragma once

#include <string>
#include <string_view>

#include "libcore/base/status.h"

namespace nemo {

/// Whose directory it is: nothing is ever removed but a directory of this kind, or an empty one.
struct OutputKind {
  std::string_view what;  ///< "a shard set": for messages
  /// True for every name that may stand in such a directory (`.partial` behind it is taken off).
  bool (*is_own)(std::string_view name);
  /// True for a name that tells the kind: without one of these in it, a directory of own names is
  /// somebody else's.
  bool (*is_telling)(std::string_view name);
};

class OutputDirectory {
 public:
  /// Makes `path`.partial, clearing what an earlier run left there unless it is to be resumed.
  /// kInvalidArgument: something
  /// stands at `path` and force is off, or it is not of `kind`; or `path` is no name for a
  /// directory. kIo: the disk.
  static Result<OutputDirectory> Create(const std::string& path, const OutputKind& kind, bool force,
                                        bool resume);

  /// Where file `name` grows.
  std::string PathOf(std::string_view name) const;
  /// Gives the directory its final name. The errors of Create, for hours may have passed.
  Status Publish();
  /// Removes everything that was written. For errors and stops.
  void Abandon();

 private:
  OutputDirectory(std::string path, const OutputKind& kind, bool force);

  std::string path_;
  std::string partial_;
  OutputKind kind_;
  bool force_;
};

}  // namespace nemo
