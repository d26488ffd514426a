#include "libcore/runtime/step_news.h"

#include <bit>
#include <cstring>

#include "libcore/base/format.h"

namespace nemo {
namespace {

static_assert(std::endian::native == std::endian::little, "the message is the memory of this host");

constexpr uint32_t kMagic = 0x5054534e;  // "NSTP"
constexpr uint32_t kVersion = 1;

struct Header {
  uint32_t magic;
  uint32_t version;
  uint64_t step;
  uint64_t digest;
  uint64_t num_rows;
};
static_assert(sizeof(Header) == 32 && sizeof(RowNews) == 16, "no gaps in the message");

}  // namespace

size_t StepNewsBytes(size_t num_rows) { return sizeof(Header) + num_rows * sizeof(RowNews); }

std::vector<std::byte> PackStepNews(const StepNews& news) {
  std::vector<std::byte> bytes(StepNewsBytes(news.rows.size()));
  const Header header = {kMagic, kVersion, news.step, news.digest, news.rows.size()};
  std::memcpy(bytes.data(), &header, sizeof(header));
  if (!news.rows.empty()) {
    std::memcpy(bytes.data() + sizeof(header), news.rows.data(),
                news.rows.size() * sizeof(RowNews));
  }
  return bytes;
}

Result<StepNews> UnpackStepNews(std::span<const std::byte> bytes, uint64_t step, uint64_t digest,
                                size_t num_rows) {
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
  if (header.step != step || header.num_rows != num_rows || header.digest != digest) {
    return Unavailable(Format(
        "news of step {} with {} rows: this rank is at step {} with {} rows{}; {}", header.step,
        header.num_rows, step, num_rows, header.digest == digest ? "" : " of other work", kMend));
  }
  if (bytes.size() != StepNewsBytes(num_rows)) {
    return Unavailable(Format("news of step {}: {} bytes, expected {} for {} rows; {}", step,
                              bytes.size(), StepNewsBytes(num_rows), num_rows, kMend));
  }
  StepNews news = {step, digest, std::vector<RowNews>(num_rows)};
  if (num_rows > 0) {
    std::memcpy(news.rows.data(), bytes.data() + sizeof(header), num_rows * sizeof(RowNews));
  }
  return news;
}

}  // namespace nemo
