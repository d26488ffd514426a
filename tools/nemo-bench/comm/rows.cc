#include <algorithm>

#include "tools/nemo-bench/comm/collective.h"

namespace nemo {
namespace {

/// Rank r's element i: small whole numbers, whose sums are exact in any order.
float ValueOf(int64_t rank, int64_t index) {
  return static_cast<float>((rank + 1) * (index % 127 + 1));
}

/// Floats of a rank, and how they are filled and counted.
class FloatRun : public CollectiveRun {
 public:
  FloatRun(Communicator& world, int64_t size_bytes)
      : world_(world),
        rank_(world.rank()),
        size_(world.size()),
        data_(static_cast<size_t>(std::max<int64_t>(1, size_bytes / 4))) {
    Fill(rank_);
  }

 protected:
  void Fill(int64_t rank) {
    for (size_t i = 0; i < data_.size(); ++i) data_[i] = ValueOf(rank, static_cast<int64_t>(i));
  }
  template <typename Expected>
  static int64_t Count(std::span<const float> data, const Expected& expected) {
    int64_t wrong = 0;
    for (size_t i = 0; i < data.size(); ++i) wrong += data[i] != expected(static_cast<int64_t>(i));
    return wrong;
  }

  Communicator& world_;
  const int64_t rank_, size_;
  std::vector<float> data_;
};

class AllReduce final : public FloatRun {
 public:
  using FloatRun::FloatRun;
  // Later runs add what earlier ones left; far from overflow only the first result is looked at.
  Status Run() override { return world_.AllReduceSum(data_); }
  int64_t CountWrong() const override {
    return Count(data_, [&](int64_t i) {
      return ValueOf(0, i) * static_cast<float>(size_ * (size_ + 1) / 2);
    });
  }
};

class AllGather final : public FloatRun {
 public:
  AllGather(Communicator& world, int64_t size_bytes)
      : FloatRun(world, size_bytes / world.size()),
        out_(data_.size() * static_cast<size_t>(world.size())) {}
  Status Run() override {
    return world_.AllGather(std::as_bytes(std::span(data_)),
                            std::as_writable_bytes(std::span(out_)));
  }
  int64_t CountWrong() const override {
    const auto part = static_cast<int64_t>(data_.size());
    return Count(out_, [&](int64_t i) { return ValueOf(i / part, i % part); });
  }

 private:
  std::vector<float> out_;
};

class Broadcast final : public FloatRun {
 public:
  using FloatRun::FloatRun;
  Status Run() override { return world_.Broadcast(std::as_writable_bytes(std::span(data_)), 0); }
  int64_t CountWrong() const override {
    return Count(data_, [](int64_t i) { return ValueOf(0, i); });
  }
};

/// Every rank sends to the next and receives from the one before, as stages of a pipeline do.
class SendRecv final : public FloatRun {
 public:
  SendRecv(Communicator& world, int64_t size_bytes)
      : FloatRun(world, size_bytes), in_(data_.size()) {}
  Status Run() override {
    // A send waits for its receiver: neighbours must not both begin with one.
    if (rank_ % 2 == 0) {
      NEMO_RETURN_IF_ERROR(Send());
      return Recv();
    }
    NEMO_RETURN_IF_ERROR(Recv());
    return Send();
  }
  int64_t CountWrong() const override {
    return Count(in_, [&](int64_t i) { return ValueOf((rank_ + size_ - 1) % size_, i); });
  }

 private:
  Status Send() {
    return world_.Send(std::as_bytes(std::span(data_)), static_cast<int>((rank_ + 1) % size_));
  }
  Status Recv() {
    return world_.Recv(std::as_writable_bytes(std::span(in_)),
                       static_cast<int>((rank_ + size_ - 1) % size_));
  }

  std::vector<float> in_;
};

template <typename T>
std::unique_ptr<CollectiveRun> Prepare(Communicator& world, int64_t size_bytes) {
  return std::make_unique<T>(world, size_bytes);
}

constexpr CollectiveRow kRows[] = {
    {"all_reduce", "sum of floats, the same bits on every rank", Prepare<AllReduce>,
     [](double n) { return 2 * (n - 1) / n; }},
    {"all_gather", "every rank's part on every rank", Prepare<AllGather>,
     [](double n) { return (n - 1) / n; }},
    {"broadcast", "rank 0's data on every rank", Prepare<Broadcast>, [](double) { return 1.0; }},
    {"send_recv", "to the next rank, from the one before", Prepare<SendRecv>,
     [](double) { return 1.0; }},
};

}  // namespace

std::span<const CollectiveRow> CollectiveRows() { return kRows; }

}  // namespace nemo
