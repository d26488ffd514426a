#include "libcore/runtime/step_news.h"

#include <bit>
#include <cstring>

#include "libcore/base/format.h"

namespace nemo {
namespace {

static_assert(std::endian::native == std::endian::little, "the message is the memory of this host");

constexpr uint32_t kMagic = 0x5054534e;  // "NSTP"
constexpr uint32_t kVersion = 2;

struct Header {
  uint32_t magic;
  uint32_t version;
  uint64_t step;
  uint64_t digest;
  uint64_t num_rows;
  uint64_t num_top;
};
static_assert(sizeof(Header) == 40 && sizeof(RowNews) == 16, "no gaps in the message");

/// A TokenLogprob without its gap.
struct TopNews {
  double logprob;
  int64_t token_id;
};

}  // namespace

size_t StepNewsBytes(size_t num_rows, size_t num_top) {
  return sizeof(Header) + num_rows * sizeof(RowNews) + num_top * sizeof(TopNews);
}

std::vector<std::byte> PackStepNews(const StepNews& news) {
  std::vector<std::byte> bytes(StepNewsBytes(news.rows.size(), news.top.size()));
  const Header header = {kMagic,      kVersion,         news.step,
                         news.digest, news.rows.size(), news.top.size()};
  std::memcpy(bytes.data(), &header, sizeof(header));
  if (!news.rows.empty()) {
    std::memcpy(bytes.data() + sizeof(header), news.rows.data(),
                news.rows.size() * sizeof(RowNews));
  }
  std::byte* at = bytes.data() + StepNewsBytes(news.rows.size(), 0);
  for (const TokenLogprob& token : news.top) {
    const TopNews top = {token.logprob, token.token_id};
    std::memcpy(at, &top, sizeof(top));
    at += sizeof(top);
  }
  return bytes;
}

Result<StepNews> UnpackStepNews(std::span<const std::byte> bytes, uint64_t step, uint64_t digest,
                                size_t num_rows, size_t num_top) {
  constexpr const char* kMend = "start all ranks with the same program and the same requests";
  if (bytes.size() < sizeof(Header)) {
    return Unavailable(Format("news of step {}: {} bytes, and the header alone has {}; {}", step,
                              bytes.size(), sizeof(Header), kMend));
  }
  Header header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.magic != kMagic || header.version != kVersion) {
    return Unavailable(
        Format("news of step {}: not a message of version {}; {}", step, kVersion, kMend));
  }
  if (header.step != step || header.num_rows != num_rows || header.num_top != num_top ||
      header.digest != digest) {
    return Unavailable(Format(
        "news of step {} with {} rows: this rank is at step {} with {} rows{}; {}", header.step,
        header.num_rows, step, num_rows,
        header.digest == digest && header.num_top == num_top ? "" : " of other work", kMend));
  }
  if (bytes.size() != StepNewsBytes(num_rows, num_top)) {
    return Unavailable(Format("news of step {}: {} bytes, expected {} for {} rows; {}", step,
                              bytes.size(), StepNewsBytes(num_rows, num_top), num_rows, kMend));
  }
  StepNews news = {step, digest, std::vector<RowNews>(num_rows), {}};
  if (num_rows > 0) {
    std::memcpy(news.rows.data(), bytes.data() + sizeof(header), num_rows * sizeof(RowNews));
  }
  for (size_t i = 0; i < num_top; ++i) {
    TopNews top;
    std::memcpy(&top, bytes.data() + StepNewsBytes(num_rows, i), sizeof(top));
    news.top.push_back({static_cast<int32_t>(top.token_id), top.logprob});
  }
  return news;
}

}  // namespace nemo
