// Team: the processes that write one checkpoint together, each its share of the files.
#pragma once

#include "libcore/base/status.h"

namespace nemo {

class Team {
 public:
  virtual ~Team() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// Called by every rank, with how its part went: waits for all of them. OK when all were, else
  /// this rank's own error, or kUnavailable for another's (as soon as that is known).
  virtual Status Agree(const Status& mine) = 0;
  /// The sum over all ranks. kUnavailable: a rank is gone.
  virtual Result<int64_t> Sum(int64_t mine) = 0;
};

/// One process.
class Alone : public Team {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  Status Agree(const Status& mine) override { return mine; }
  Result<int64_t> Sum(int64_t mine) override { return mine; }
};

}  // namespace nemo
