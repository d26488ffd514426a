#include "tests/fuzz/harness.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "libcore/base/check.h"
#include "tests/fuzz/allocation_meter.h"

namespace nemo::fuzz {
namespace {

constexpr int64_t kReadBytes = 4096;
constexpr size_t kMaxTensors = 64;  // read; a list of more says nothing new
constexpr std::string_view kFileMark = "=== ";

/// A relative name of plain components.
bool IsTreeName(std::string_view name) {
  if (name.empty() || name.size() > 200 || name.back() == '/') return false;
  for (size_t at = 0; at <= name.size();) {
    const size_t slash = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, slash - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = slash + 1;
  }
  return name.find('\0') == std::string_view::npos;
}

/// `extent` cut to at most `count` elements, slowest axes first.
Shape Cut(Shape extent, int64_t count) {
  for (int64_t& axis : extent) {
    if (NumElements(extent) <= count) break;
    const int64_t others = NumElements(extent) / axis;
    axis = std::clamp<int64_t>(others == 0 ? axis : count / others, 1, axis);
  }
  return extent;
}

void ReadBoxOf(const TensorSource& source, const TensorSpec& spec, const Box& box) {
  std::vector<std::byte> out(static_cast<size_t>(NumElements(box) * SizeOf(spec.dtype)));
  static_cast<void>(source.Read(spec.name, box, out).ok());
  static_cast<void>(source.FilesOf(spec.name, box));
}

void ReadTensor(const TensorSource& source, const TensorSpec& spec) {
  Box first = Box::Whole(spec.shape);
  first.extent = Cut(spec.shape, kReadBytes / SizeOf(spec.dtype));
  ReadBoxOf(source, spec, first);
  if (first.extent == spec.shape) return;
  Box last = first;
  for (size_t axis = 0; axis < spec.shape.size(); ++axis) {
    last.offset[axis] = spec.shape[axis] - last.extent[axis];
  }
  ReadBoxOf(source, spec, last);
}

}  // namespace

std::string Bytes(const uint8_t* data, size_t size) {
  return size == 0 ? std::string() : std::string(reinterpret_cast<const char*>(data), size);
}

MemoryLimit::MemoryLimit(size_t input_bytes, int64_t factor)
    : before_bytes_(LiveBytes()), input_bytes_(static_cast<int64_t>(input_bytes)), factor_(factor) {
  ResetPeak();
}

MemoryLimit::~MemoryLimit() {
  const int64_t grown = PeakBytes() - before_bytes_;
  const int64_t limit = kFixedBytes + factor_ * input_bytes_;
  if (grown <= limit) return;
  std::fprintf(stderr,
               "ERROR: an input of %lld bytes took %lld bytes of memory; the limit is %lld\n",
               static_cast<long long>(input_bytes_), static_cast<long long>(grown),
               static_cast<long long>(limit));
  std::abort();
}

std::map<std::string, std::string> SplitTree(const std::string& input) {
  std::map<std::string, std::string> files;
  const std::string separator = "\n" + std::string(kFileMark);
  size_t at = input.starts_with(kFileMark) ? kFileMark.size() : std::string::npos;
  while (at != std::string::npos) {
    const size_t line_end = std::min(input.find('\n', at), input.size());
    const size_t next = input.find(separator, line_end);
    const size_t begin = std::min(line_end + 1, input.size());
    const size_t end = std::max(begin, std::min(next, input.size()));
    std::string name = input.substr(at, line_end - at);
    if (IsTreeName(name)) files.emplace(std::move(name), input.substr(begin, end - begin));
    at = next == std::string::npos ? next : next + separator.size();
  }
  return files;
}

void ReadTensors(const TensorSource& source) {
  const auto specs = source.specs();
  for (const TensorSpec& spec : specs.first(std::min(specs.size(), kMaxTensors))) {
    ReadTensor(source, spec);
  }
}

void ReadEnds(const RandomAccessFile& file) {
  std::vector<std::byte> buffer(static_cast<size_t>(std::min(kReadBytes, file.size_bytes())));
  const auto size = static_cast<int64_t>(buffer.size());
  for (const int64_t at : {file.size_bytes() - size, int64_t{0}, (file.size_bytes() - size) / 2}) {
    static_cast<void>(file.ReadAt(at, buffer).ok());
  }
  std::byte behind;
  NEMO_CHECK(!file.ReadAt(file.size_bytes(), std::span(&behind, 1)).ok());
}

void ReadFiles(const FileTree& tree) {
  for (const std::string& name : tree.files()) {
    const auto file = tree.Open(name);
    NEMO_CHECK(file);
    ReadEnds(**file);
  }
}

}  // namespace nemo::fuzz
