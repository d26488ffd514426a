#include "libcore/serve/chunk_check.h"

#include <algorithm>

namespace nemo {
namespace {

constexpr int kMaxDigits = 15;       // int64 holds them
constexpr int kMaxExtension = 1024;  // bytes behind a ';', of which nobody makes use

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

ChunkCheck::Verdict ChunkCheck::Take(std::string_view bytes) {
  while (verdict_ == Verdict::kGood && !bytes.empty()) {
    if (place_ == Place::kData) {
      const auto count = std::min<int64_t>(left_, std::ssize(bytes));
      left_ -= count;
      bytes.remove_prefix(static_cast<size_t>(count));
      if (left_ == 0) place_ = Place::kDataCr;
      continue;
    }
    verdict_ = TakeByte(bytes.front());
    bytes.remove_prefix(1);
  }
  return verdict_;
}

ChunkCheck::Verdict ChunkCheck::TakeByte(char byte) {
  const auto expect = [&](char wanted, Place next) {
    place_ = next;
    return byte == wanted ? Verdict::kGood : Verdict::kMalformed;
  };
  switch (place_) {
    case Place::kSize:
      return TakeSizeByte(byte);
    case Place::kExtension:
      if (byte == '\r') return expect('\r', Place::kSizeEnd);
      return byte == '\n' || ++num_extra_ > kMaxExtension ? Verdict::kMalformed : Verdict::kGood;
    case Place::kSizeEnd:
      return byte == '\n' ? BeginData() : Verdict::kMalformed;
    case Place::kDataCr:
      return expect('\r', Place::kDataLf);
    case Place::kDataLf:
      return expect('\n', Place::kSize);
    case Place::kLastCr:
      return expect('\r', Place::kLastLf);
    case Place::kLastLf:
      return expect('\n', Place::kEnd);
    default:
      return Verdict::kMalformed;  // behind the end
  }
}

ChunkCheck::Verdict ChunkCheck::TakeSizeByte(char byte) {
  if (const int digit = HexDigit(byte); digit >= 0) {
    if (++num_digits_ > kMaxDigits) return Verdict::kTooLarge;
    size_ = size_ * 16 + digit;
    return Verdict::kGood;
  }
  if (num_digits_ == 0 || (byte != '\r' && byte != ';')) return Verdict::kMalformed;
  place_ = byte == '\r' ? Place::kSizeEnd : Place::kExtension;
  return Verdict::kGood;
}

ChunkCheck::Verdict ChunkCheck::BeginData() {
  if (size_ > max_bytes_ - num_bytes_) return Verdict::kTooLarge;
  num_bytes_ += size_;
  place_ = size_ == 0 ? Place::kLastCr : Place::kData;
  left_ = size_;
  size_ = num_digits_ = num_extra_ = 0;
  return Verdict::kGood;
}

}  // namespace nemo
