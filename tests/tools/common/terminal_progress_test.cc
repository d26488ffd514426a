// What people see while and after a tool works: progress lines and tables.
#include "tools/common/terminal_progress.h"

#include <cstdio>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tools/common/table.h"

namespace nemo {
namespace {

std::string WrittenBy(TerminalProgress::Style style) {
  std::FILE* file = std::tmpfile();
  TerminalProgress progress(file, style);
  progress.Start("copy", 4000, "B");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) progress.Add(1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  progress.Finish();
  progress.Finish();
  progress.Add(1);
  std::rewind(file);
  std::string text(4096, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return text;
}

TEST(TerminalProgress, SaysHowFarHowFastAndHowLong) {
  EXPECT_EQ(ProgressLine("convert", "B", 1'000'000'000, 4'000'000'000, 2.0),
            "convert: 1.0 GB of 4.0 GB (25 %), 0.50 GB/s, 6 s left");
  EXPECT_EQ(ProgressLine("convert", "B", 0, 4'000'000'000, 2.0),
            "convert: 0 B of 4.0 GB (0 %), 0.00 GB/s");
  EXPECT_EQ(ProgressLine("load", "tensors", 10, 0, 2.0), "load: 10 tensors, 5.0 tensors/s");
  EXPECT_EQ(ProgressLine("load", "tensors", 1, 101, 1.0),
            "load: 1 tensors of 101 tensors (0 %), 1.0 tensors/s, 1 min 40 s left");
  EXPECT_EQ(ProgressLine("load", "tensors", 1, 7201, 1.0),
            "load: 1 tensors of 7201 tensors (0 %), 1.0 tensors/s, 2 h 00 min left");
  EXPECT_EQ(ProgressSummary("convert", "B", 4'000'000'000, 8.0),
            "convert: 4.0 GB in 8.0 s, 0.50 GB/s");
}

TEST(TerminalProgress, EndsWithOneLineThatCountsEveryThread) {
  for (const auto style : {TerminalProgress::Style::kLines, TerminalProgress::Style::kRedraw}) {
    const std::string text = WrittenBy(style);
    EXPECT_NE(text.find("copy: 4.0 kB in "), std::string::npos) << text;
    EXPECT_EQ(text.back(), '\n');
  }
}

TEST(TerminalProgress, ShowsTheLastRemarkBesideTheAmount) {
  std::FILE* file = std::tmpfile();
  TerminalProgress progress(file, TerminalProgress::Style::kLines);
  progress.Start("generate", 2, "requests");
  progress.Remark("12.0 tokens/s");
  progress.Remark("34.5 tokens/s");
  progress.Add(2);
  progress.Finish();
  char line[200] = {};
  std::rewind(file);
  ASSERT_NE(std::fgets(line, sizeof line, file), nullptr);
  EXPECT_NE(std::string(line).find("requests/s, 34.5 tokens/s\n"), std::string::npos) << line;
  std::fclose(file);
}

TEST(TerminalProgress, LinesOfALongJobComeLessOften) {
  EXPECT_EQ(LineGapMs(0), 2'000);
  EXPECT_EQ(LineGapMs(20'000), 2'000);
  EXPECT_EQ(LineGapMs(100'000), 10'000);
  EXPECT_EQ(LineGapMs(36'000'000), 60'000);
}

TEST(TerminalProgress, LinesHaveNoCarriageReturns) {
  EXPECT_EQ(WrittenBy(TerminalProgress::Style::kLines).find('\r'), std::string::npos);
}

TEST(TerminalProgress, SilentWritesNothing) {
  EXPECT_EQ(WrittenBy(TerminalProgress::Style::kSilent), "");
}

TEST(TerminalProgress, DrawsOnATerminalOnlyUnlessTold) {
  using Style = TerminalProgress::Style;
  std::FILE* file = std::tmpfile();
  EXPECT_EQ(ProgressStyle("auto", false, file), Style::kSilent);
  EXPECT_EQ(ProgressStyle("always", true, file), Style::kLines);
  EXPECT_EQ(ProgressStyle("never", false, file), Style::kSilent);
  std::fclose(file);
}

TEST(Table, AlignsColumnsAndTrimsTheEndOfLines) {
  Table table({{"name"}, {"bytes", Table::Align::kRight}, {"files"}});
  table.AddRow({"a", "12345678", "x"});
  table.AddRow({"long-name", "1", ""});
  EXPECT_EQ(table.ToText(0),
            "name          bytes  files\n"
            "a          12345678  x\n"
            "long-name         1\n");
}

TEST(Table, CountsCharactersNotBytes) {
  Table table({{"piece"}, {"id"}});
  table.AddRow({"\u2581a", "7"});
  EXPECT_EQ(table.ToText(0), "piece  id\n\u2581a     7\n");
}

TEST(Table, ShortensTheMiddleOfNamesToFit) {
  Table table({{"name"}, {"bytes", Table::Align::kRight}});
  table.AddRow({"decoder.layers.17.self_attention.linear_qkv.weight", "12345678"});
  const std::string text = table.ToText(40);
  EXPECT_NE(text.find("decoder.layers...ar_qkv.weight"), std::string::npos) << text;
  EXPECT_EQ(text.find('\n'), 40u) << text;
}

}  // namespace
}  // namespace nemo
