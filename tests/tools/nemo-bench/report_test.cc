// Reports as data: JSON in both forms, comparison, --min-fraction, the page.
#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "libcore/base/json.h"
#include "tools/nemo-bench/report/compare.h"
#include "tools/nemo-bench/report/fractions.h"
#include "tools/nemo-bench/report/html.h"
#include "tools/nemo-bench/report/record.h"
#include "tools/nemo-bench/report/svg.h"
#include "tools/nemo-bench/report/text.h"

namespace nemo {
namespace {

Record MakeRecord(const std::string& name, double median, double spread = 0) {
  Record record;
  record.name = name;
  record.operation = name.substr(0, name.find('/'));
  record.shape = "[1, 2] & <3>";
  record.dtype = "bf16";
  record.backend = "cpu (test)";
  record.time = {30, median, median * (1 - spread), median * (1 + spread), median, median};
  record.rates = {{"tok/s", 1 / median}};
  return record;
}

Report MakeReport(std::vector<Record> records) {
  Report report;
  report.verb = "kernels";
  report.subject = "tiny";
  report.threads = 2;
  report.machine.Set("cpu", "Test CPU");
  report.limits = Limits{100e9, 80e9, 1e12, "test"};
  report.records = std::move(records);
  report.notes = {"a note"};
  return report;
}

Report FullReport() {
  Record record = MakeRecord("linear/fc1/m8", 1e-3, 0.1);
  record.work = Work{1e6, 2e5, 3e7};
  AddRoofline(Limits{100e9, 80e9, 1e12, "test"}, &record);
  record.error = 0.0;
  record.peer = Peer{"oneDNN", record.time};
  record.warnings = {"only 3 runs"};
  return MakeReport({record, MakeRecord("embed/m1", 2e-6)});
}

TEST(Report, ComesBackFromLinesAndFromOneObject) {
  const Report report = FullReport();
  for (const std::string& text : {ToJsonLines(report), ToJson(ToValue(report), 2)}) {
    const auto back = ParseReport(text);
    ASSERT_TRUE(back.has_value()) << back.error().message();
    EXPECT_EQ(ToValue(*back), ToValue(report));
  }
}

TEST(Report, LinesAreOneForTheRunAndOneForEachRow) {
  const std::string lines = ToJsonLines(FullReport());
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3);
  EXPECT_TRUE(lines.starts_with(R"({"record":"run","verb":"kernels",)")) << lines;
}

TEST(Report, RefusesWhatIsNone) {
  const std::string good = ToJsonLines(FullReport());
  const std::pair<std::string, const char*> rows[] = {
      {"", "no report of nemo-bench: no line is of the run"},
      {"{}", "line 1: no report of nemo-bench"},
      {"[1]", "line 1: no report of nemo-bench"},
      {"{\"record\":\"song\"}", "line 1: \"record\" is 'song', expected run or row"},
      {good.substr(0, good.size() / 2), "line 2: not valid JSON"},
      {"{\"record\":\"row\",\"name\":\"a\"}", "line 1: "},
      {"{\"run\":{},\"rows\":[]}", "run: "},
      {"{\"run\":3,\"rows\":[]}", "run: "},
  };
  for (const auto& [text, message] : rows) {
    const auto report = ParseReport(text);
    ASSERT_FALSE(report.has_value()) << text;
    EXPECT_TRUE(report.error().message().starts_with(message)) << report.error().message();
  }
}

TEST(Report, TableLeavesOutColumnsThatNoRowFills) {
  const std::string bare = ToText(MakeReport({MakeRecord("pp512", 1)}), 0);
  EXPECT_EQ(bare.find("error"), std::string::npos);
  EXPECT_EQ(bare.find("of it"), std::string::npos);
  const std::string full = ToText(FullReport(), 0);
  for (const char* part : {"error", "of it", "1.00x oneDNN", "warning  linear/fc1/m8: only 3 runs",
                           "note     a note"}) {
    EXPECT_NE(full.find(part), std::string::npos) << part << "\n" << full;
  }
}

TEST(Report, PageNeedsNothingButItself) {
  const std::string page = ToHtml(FullReport());
  for (const char* foreign : {"<script", "http://", "https://", "src=", "url(", "@import"}) {
    EXPECT_EQ(page.find(foreign), std::string::npos) << foreign;
  }
  EXPECT_NE(page.find("prefers-color-scheme: dark"), std::string::npos);
  EXPECT_NE(page.find("[1, 2] &amp; &lt;3&gt;"), std::string::npos);
  EXPECT_EQ(page.find("<3>"), std::string::npos);
  EXPECT_NE(page.find(">fc1/m8</text>"), std::string::npos) << "the point has no label";
}

TEST(Svg, LabelsOfOnePlaceDoNotCoverEachOther) {
  std::vector<RooflinePoint> points;
  for (int i = 0; i < 5; ++i) points.push_back({"point" + std::to_string(i), 0, 1.0, 9e10});
  const std::string svg = RooflineSvg({100e9, 80e9, 1e12, "test"}, points);
  std::set<std::string> places;
  for (size_t at = 0; (at = svg.find("<text class=\"label\"", at)) != std::string::npos; ++at) {
    places.insert(svg.substr(at, svg.find(" text-anchor", at) - at));
  }
  EXPECT_EQ(places.size(), 5u) << svg;
}

TEST(Svg, DrawsNothingOfNothing) {
  EXPECT_EQ(RooflineSvg({100e9, 80e9, 1e12, "test"}, {{"copy", 0, 0, 0}}), "");
  EXPECT_EQ(RooflineSvg({}, {{"a", 0, 1, 1}}), "");
  EXPECT_EQ(BarsSvg({}), "");
}

TEST(Fractions, TheLastRuleThatMatchesHolds) {
  const auto rules = ParseFractions("linear/*: 0.8\n'linear/*/m1': 0.9\nrope*: 0.5\n");
  ASSERT_TRUE(rules.has_value()) << rules.error().message();
  std::vector<Record> records = {MakeRecord("linear/fc1/m1", 1), MakeRecord("linear/fc1/m8", 1),
                                 MakeRecord("embed/m1", 1)};
  records[0].fraction = 0.85;
  records[1].fraction = 0.85;
  std::vector<std::string> unused;
  const auto checks = CheckFractions(*rules, records, &unused);
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(checks[0].wanted, 0.9);
  EXPECT_FALSE(checks[0].ok());
  EXPECT_EQ(checks[1].wanted, 0.8);
  EXPECT_TRUE(checks[1].ok());
  EXPECT_EQ(unused, std::vector<std::string>{"rope*"});
}

TEST(Fractions, ARowWithoutALimitMissesIt) {
  const auto checks = CheckFractions({{"a", 0.1}}, {MakeRecord("a", 1)}, nullptr);
  ASSERT_EQ(checks.size(), 1u);
  EXPECT_FALSE(checks[0].ok());
}

TEST(Fractions, RefuseWhatIsNoShare) {
  for (const char* text : {"", "[1]", "a: 1.5", "a: -0.1", "a: yes", "a: .nan", "{}", "a: [0.5]"}) {
    EXPECT_EQ(ParseFractions(text).error().code(), StatusCode::kCorruption) << text;
  }
}

TEST(Compare, SpeedIsTimeOfAOverTimeOfB) {
  const Report a =
      MakeReport({MakeRecord("x", 2, 0.01), MakeRecord("y", 1, 0.01), MakeRecord("gone", 1)});
  const Report b =
      MakeReport({MakeRecord("x", 1, 0.01), MakeRecord("y", 2, 0.01), MakeRecord("new", 1)});
  const auto comparison = Compare(a, b, "");
  ASSERT_TRUE(comparison.has_value());
  ASSERT_EQ(comparison->rows.size(), 2u);
  EXPECT_DOUBLE_EQ(comparison->rows[0].speed, 2);
  EXPECT_DOUBLE_EQ(comparison->rows[1].speed, 0.5);
  EXPECT_DOUBLE_EQ(comparison->MeanSpeed(), 1);
  EXPECT_EQ(comparison->only_a, std::vector<std::string>{"gone"});
  EXPECT_EQ(comparison->only_b, std::vector<std::string>{"new"});
  ASSERT_EQ(comparison->Slower(0.05).size(), 1u);
  EXPECT_EQ(comparison->Slower(0.05)[0].name, "y");
  EXPECT_TRUE(comparison->Slower(1.1).empty());
}

TEST(Compare, OverlappingSpreadsAreNotSlower) {
  const auto comparison =
      Compare(MakeReport({MakeRecord("x", 1.0, 0.2)}), MakeReport({MakeRecord("x", 1.2, 0.2)}), "");
  ASSERT_TRUE(comparison.has_value());
  EXPECT_TRUE(comparison->rows[0].within_noise);
  EXPECT_TRUE(comparison->Slower(0.05).empty());
}

TEST(Compare, OfARateMoreIsBetter) {
  const auto comparison =
      Compare(MakeReport({MakeRecord("x", 2)}), MakeReport({MakeRecord("x", 1)}), "tok/s");
  ASSERT_TRUE(comparison.has_value());
  EXPECT_DOUBLE_EQ(comparison->rows[0].a, 0.5);
  EXPECT_DOUBLE_EQ(comparison->rows[0].b, 1);
  EXPECT_DOUBLE_EQ(comparison->rows[0].speed, 2);
}

TEST(Compare, RefusesReportsOfDifferentThings) {
  const Report a = MakeReport({MakeRecord("x", 1)}), b = MakeReport({MakeRecord("y", 1)});
  EXPECT_EQ(Compare(a, b, "").error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Compare(a, a, "apples/s").error().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace nemo
