#include "formats/codec/zstd_frames.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "formats/codec/shuffle.h"
#include "libcore/tensor/dtype.h"
#include "tests/testing.h"

namespace nemo::zstd {
namespace {

using Bytes = std::vector<std::byte>;

template <typename T>
Bytes BytesOf(const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

Bytes GaussianBF16(size_t count) {
  std::mt19937 random(7);
  std::normal_distribution<float> weight(0, 0.02f);
  std::vector<BF16> values(count);
  for (BF16& value : values) value = BF16FromFloat(weight(random));
  return BytesOf(values);
}

Bytes Noise(size_t count) {
  std::mt19937 random(3);
  std::vector<uint8_t> values(count);
  for (uint8_t& value : values) value = static_cast<uint8_t>(random());
  return BytesOf(values);
}

struct Case {
  std::string name;
  int64_t item_size;
  Bytes elements;
};

std::vector<Case> Cases() {
  std::vector<float> floats(70000);
  for (size_t i = 0; i < floats.size(); ++i) floats[i] = std::sin(static_cast<float>(i));
  std::vector<int64_t> counts(5000);
  for (size_t i = 0; i < counts.size(); ++i) counts[i] = static_cast<int64_t>(i);
  return {{"nothing", 2, {}},
          {"one element", 2, Noise(2)},
          {"weights", 2, GaussianBF16(300001)},
          {"few weights", 2, GaussianBF16(37)},
          {"zeros", 2, Bytes(600000)},
          {"noise in pairs", 2, Noise(600000)},
          {"noise of one byte", 1, Noise(300001)},
          {"zeros of one byte", 1, Bytes(5)},
          {"floats", 4, BytesOf(floats)},
          {"counts", 8, BytesOf(counts)},
          {"noise in eights", 8, Noise(800000)}};
}

TEST(Zstd, GivesBackEveryByteAtAnyLevel) {
  for (const Case& c : Cases()) {
    for (const int level : {kEntropyOnly, 1, 3, 9}) {
      Bytes frame = {std::byte{1}, std::byte{2}};
      AppendShuffled(c.elements, c.item_size, level, frame);
      ASSERT_LE(std::ssize(frame) - 2, MaxFrameBytes(std::ssize(c.elements))) << c.name;
      Bytes back(c.elements.size());
      const auto read =
          DecompressShuffled(std::span<const std::byte>(frame).subspan(2), c.item_size, back);
      ASSERT_TRUE(read.ok()) << c.name << " level " << level << ": " << read.message();
      EXPECT_EQ(back, c.elements) << c.name << " level " << level;
    }
  }
}

/// Skews of every kind in every plane: few and many different bytes, lengths at the limit, bytes
/// that only the end has.
TEST(Zstd, GivesBackBytesOfAnyDistribution) {
  std::mt19937 random(17);
  for (int round = 0; round < 400; ++round) {
    std::vector<double> shares(256, 0);
    const size_t kinds = 2 + random() % 255;
    const double slope = (random() % 1000) / 300.0;
    for (size_t i = 0; i < kinds; ++i) {
      shares[random() % 256] = round % 3 == 0   ? 1
                               : round % 3 == 1 ? std::exp(-slope * static_cast<double>(i))
                                                : (random() % 1000) + 0.001;
    }
    std::discrete_distribution<int> byte(shares.begin(), shares.end());
    const int64_t item = int64_t{1} << (random() % 4);
    Bytes elements(4096 * static_cast<size_t>(item) + random() % 20000 * static_cast<size_t>(item) +
                   (round % 40 == 0 ? size_t{1} << 21 : 0));
    for (std::byte& each : elements) each = static_cast<std::byte>(byte(random));
    for (int i = 0; i < 3; ++i) elements.end()[-1 - i] = static_cast<std::byte>(random());
    Bytes frame, back(elements.size()), planes(elements.size()), decoded(elements.size());
    AppendShuffled(elements, item, kEntropyOnly, frame);
    ASSERT_TRUE(DecompressShuffled(frame, item, back).ok()) << round;
    ASSERT_EQ(back, elements) << round;
    Shuffle(elements, item, planes);
    ASSERT_TRUE(Decompress(frame, decoded).ok()) << round;
    ASSERT_EQ(decoded, planes) << round << ": libzstd reads something else";
  }
}

TEST(Zstd, NeverGrowsWhatItsSampleMisjudged) {
  // Of every 64 KiB of the high plane the first quarter, which is looked at, has three bytes; the
  // rest has sixty.
  std::mt19937 random(29);
  Bytes elements(size_t{1} << 20);
  for (size_t i = 0; i < elements.size() / 2; ++i) {
    elements[2 * i] = static_cast<std::byte>(random());
    elements[2 * i + 1] = static_cast<std::byte>(1 + random() % (i % 65536 < 16384 ? 3 : 60));
  }
  Bytes frame, back(elements.size());
  AppendShuffled(elements, 2, kEntropyOnly, frame);
  EXPECT_LE(std::ssize(frame), MaxFrameBytes(std::ssize(elements)));
  ASSERT_TRUE(DecompressShuffled(frame, 2, back).ok());
  EXPECT_EQ(back, elements);
}

TEST(Zstd, MakesWeightsAsSmallAsTheirEntropyAllows) {
  const Bytes weights = GaussianBF16(size_t{1} << 19);
  Bytes frame;
  AppendShuffled(weights, 2, kEntropyOnly, frame);
  EXPECT_LT(frame.size(), weights.size() * 68 / 100);
  Bytes zeros;
  AppendShuffled(Bytes(size_t{1} << 20), 2, kEntropyOnly, zeros);
  EXPECT_LT(zeros.size(), 200u);
}

/// The oracle for our frames is the program of the library's authors, which streams: it keeps to
/// the window that the header announces, where single-shot decoding would not.
TEST(Zstd, WritesFramesThatTheZstdProgramDecodes) {
  if (std::system("command -v zstd > /dev/null 2>&1") != 0) GTEST_SKIP() << "zstd is not installed";
  const testing::TempDir dir;
  for (const Case& c : Cases()) {
    Bytes frame;
    AppendShuffled(c.elements, c.item_size, kEntropyOnly, frame);
    testing::WriteFileOrDie(dir / "frame.zst",
                            {reinterpret_cast<const char*>(frame.data()), frame.size()});
    const std::string command = "zstd -q -d -f '" + (dir / "frame.zst") + "'";
    ASSERT_EQ(std::system(command.c_str()), 0) << c.name;
    Bytes planes(c.elements.size());
    Shuffle(c.elements, c.item_size, planes);
    const std::string decoded = testing::ReadFileOrDie(dir / "frame");
    ASSERT_EQ(decoded.size(), planes.size()) << c.name;
    if (!planes.empty()) {
      EXPECT_EQ(std::memcmp(decoded.data(), planes.data(), planes.size()), 0) << c.name;
    }
  }
}

TEST(Zstd, RefusesFramesOfAnotherSize) {
  Bytes frame;
  AppendShuffled(GaussianBF16(1000), 2, kEntropyOnly, frame);
  Bytes small(1998), large(2002);
  EXPECT_EQ(DecompressShuffled(frame, 2, small).code(), StatusCode::kCorruption);
  EXPECT_EQ(DecompressShuffled(frame, 2, large).code(), StatusCode::kCorruption);
  EXPECT_EQ(*ContentBytes(frame), 2000);
}

TEST(Zstd, RefusesABombWithoutUnpackingIt) {
  // 16 TiB by its header; 1 GiB of zeros in a few bytes.
  const Bytes claim = BytesOf<uint8_t>({0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 16, 0, 0, 1});
  Bytes out(4096);
  EXPECT_EQ(Decompress(claim, out).code(), StatusCode::kCorruption);
  Bytes liar = BytesOf<uint8_t>({0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 16, 0, 0});  // says 4096 bytes
  for (int i = 0; i < 1000; ++i) {                                             // RLE blocks
    for (const int byte : {0x02 | (i == 999 ? 1 : 0), 0x00, 0x10, 0x00}) {
      liar.push_back(static_cast<std::byte>(byte));
    }
  }
  EXPECT_EQ(Decompress(liar, out).code(), StatusCode::kCorruption);
}

TEST(Zstd, RefusesBytesBehindTheFrame) {
  Bytes frame;
  AppendShuffled(GaussianBF16(1000), 2, 3, frame);
  frame.push_back(std::byte{0});
  Bytes out(2000);
  EXPECT_EQ(DecompressShuffled(frame, 2, out).code(), StatusCode::kCorruption);
}

TEST(Zstd, SurvivesDamage) {
  const Bytes weights = GaussianBF16(3000);
  for (const int level : {kEntropyOnly, 3}) {
    Bytes frame;
    AppendShuffled(weights, 2, level, frame);
    Bytes out(weights.size());
    for (size_t size = 0; size < frame.size(); size += 1 + size / 16) {
      const auto cut = std::span<const std::byte>(frame).first(size);
      EXPECT_EQ(DecompressShuffled(cut, 2, out).code(), StatusCode::kCorruption) << size;
    }
    for (size_t at = 0; at < frame.size(); ++at) {
      for (const int bit : {0, 3, 7}) {
        frame[at] ^= std::byte{1} << bit;
        static_cast<void>(DecompressShuffled(frame, 2, out).ok());
        frame[at] ^= std::byte{1} << bit;
      }
    }
  }
}

/// The quick decoder of our own frames may leave a frame to libzstd; it must not be of another
/// opinion.
TEST(Zstd, AgreesWithLibzstdOnDamagedFrames) {
  const Bytes weights = GaussianBF16(9000);
  Bytes frame, out(weights.size()), planes(weights.size()), expected(weights.size());
  AppendShuffled(weights, 2, kEntropyOnly, frame);
  int sound = 0;
  const auto compare = [&](const std::string& what) {
    const bool ours = DecompressShuffled(frame, 2, out).ok();
    const bool theirs = Decompress(frame, planes).ok();
    ASSERT_EQ(ours, theirs) << what;
    if (!ours) return;
    Unshuffle(planes, 2, expected);
    ASSERT_EQ(out, expected) << what;
    ++sound;
  };
  std::mt19937 random(23);
  // Behind the raw low bytes: headers, description, jump table, streams.
  for (size_t at = 0; at<frame.size(); at += at> 13 && at < 8990 ? 97 : 1) {
    const std::byte before = frame[at];
    for (int i = 0; i < 4; ++i) {
      frame[at] =
          i < 2 ? before ^ (std::byte{1} << (random() % 8)) : static_cast<std::byte>(random());
      compare("byte " + std::to_string(at) + ": " + std::to_string(static_cast<int>(frame[at])));
    }
    frame[at] = before;
  }
  EXPECT_GT(sound, 100) << "damage to what decodes all the same";
}

TEST(Shuffle, PutsEveryByteIntoItsPlane) {
  const Bytes elements = Noise(8 * 2500);
  for (const int64_t item : {1, 2, 4, 8}) {
    const auto count = std::ssize(elements) / item;
    Bytes planes(elements.size()), back(elements.size());
    Shuffle(elements, item, planes);
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t b = 0; b < item; ++b) {
        ASSERT_EQ(planes[static_cast<size_t>(b * count + i)],
                  elements[static_cast<size_t>(i * item + b)]);
      }
    }
    Unshuffle(planes, item, back);
    EXPECT_EQ(back, elements) << item;
  }
}

}  // namespace
}  // namespace nemo::zstd
