// What /metrics says, read as Prometheus reads it.
#include "libcore/serve/serve_stats.h"

#include <cstdlib>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace nemo {
namespace {

/// Prometheus' text format 0.0.4: {name with labels: number}; each name needs its TYPE before it.
std::map<std::string, double> Parse(const std::string& text) {
  std::map<std::string, double> numbers;
  std::set<std::string> types;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, kind, name;
    if (line.starts_with("#")) {
      words >> hash >> kind >> name;
      EXPECT_TRUE(kind != "TYPE" || types.insert(name).second) << name << " comes twice";
      continue;
    }
    const size_t blank = line.rfind(' ');
    std::string family = line.substr(0, line.find_first_of("{ "));
    for (const char* suffix : {"_bucket", "_sum", "_count"}) {
      const std::string base = family.substr(0, family.size() - std::string(suffix).size());
      if (family.ends_with(suffix) && types.count(base) != 0) family = base;
    }
    EXPECT_TRUE(types.count(family) != 0) << line;
    EXPECT_TRUE(numbers.emplace(line.substr(0, blank), std::atof(line.c_str() + blank)).second)
        << line;
  }
  return numbers;
}

TEST(ServeStats, TellsWhatWasCounted) {
  ServeStats stats;
  stats.CountRequest("/generate", 200, 0.5);
  stats.CountRequest("/generate", 200, 1.5);
  stats.CountRequest("/generate", 429, 0.001);
  stats.CountRequest("other", 0, 700);
  stats.CountHangUp();
  stats.CountFirstToken(0.02);
  stats.CountTokens(10, 3);
  stats.CountTokens(5, 4);
  stats.CountStep(0.25, 0.5, 0.125);
  stats.CountStep(0.25, 0.25, 0.125);
  stats.SetLoad({.num_running = 2, .num_waiting = 1, .kv_pages_used = 7, .kv_pages = 64},
                {.preemptions = 3, .reused_tokens = 11});
  auto m = Parse(stats.ToText(4, 9, false));
  EXPECT_EQ(m.at("nemo_requests_total{route=\"/generate\",code=\"200\"}"), 2);
  EXPECT_EQ(m.at("nemo_requests_total{route=\"/generate\",code=\"429\"}"), 1);
  EXPECT_EQ(m.at("nemo_requests_total{route=\"other\",code=\"0\"}"), 1);
  EXPECT_EQ(m.at("nemo_ready"), 0);
  EXPECT_EQ(m.at("nemo_queue_length"), 4);
  EXPECT_EQ(m.at("nemo_connections"), 9);
  EXPECT_EQ(m.at("nemo_running"), 2);
  EXPECT_EQ(m.at("nemo_kv_pages_used"), 7);
  EXPECT_EQ(m.at("nemo_kv_pages"), 64);
  EXPECT_EQ(m.at("nemo_prompt_tokens_total"), 15);
  EXPECT_EQ(m.at("nemo_generated_tokens_total"), 7);
  EXPECT_EQ(m.at("nemo_prefix_reused_tokens_total"), 11);
  EXPECT_EQ(m.at("nemo_preemptions_total"), 3);
  EXPECT_EQ(m.at("nemo_hang_ups_total"), 1);
  EXPECT_EQ(m.at("nemo_steps_total"), 2);
  EXPECT_EQ(m.at("nemo_step_seconds_total"), 0.5);
  EXPECT_EQ(m.at("nemo_turn_seconds_total"), 0.75);
  EXPECT_EQ(m.at("nemo_loop_cpu_seconds_total"), 0.25);
  EXPECT_EQ(m.at("nemo_request_seconds_count"), 4);
  EXPECT_DOUBLE_EQ(m.at("nemo_request_seconds_sum"), 702.001);
  EXPECT_EQ(m.at("nemo_first_token_seconds_count"), 1);
  EXPECT_EQ(Parse(stats.ToText(0, 0, true)).at("nemo_ready"), 1);
  EXPECT_EQ(stats.load().kv_pages, 64);
}

TEST(ServeStats, AHistogramsBucketsAreCumulativeAndHoldTheirBounds) {
  Histogram histogram;
  for (const double bound : Histogram::kBounds) histogram.Observe(bound);
  histogram.Observe(0);
  histogram.Observe(1e9);
  std::string text;
  histogram.AppendTo(&text, "h", "help");
  const auto m = Parse(text);
  double want = 1;  // the 0
  for (const double bound : Histogram::kBounds) {
    std::ostringstream name;
    name << "h_bucket{le=\"" << bound << "\"}";
    EXPECT_EQ(m.at(name.str()), ++want) << name.str();
  }
  EXPECT_EQ(m.at("h_bucket{le=\"+Inf\"}"), want + 1);
  EXPECT_EQ(m.at("h_count"), want + 1);
}

TEST(ServeStats, ManyThreadsMayCount) {
  ServeStats stats;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&stats] {
      for (int i = 0; i < 500; ++i) {
        stats.CountRequest("/generate", 200, 0.1);
        stats.CountTokens(1, 2);
        stats.CountStep(0.5, 0.5, 0);
        if (i % 100 == 0) stats.ToText(0, 0, true);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto m = Parse(stats.ToText(0, 0, true));
  EXPECT_EQ(m.at("nemo_requests_total{route=\"/generate\",code=\"200\"}"), 2000);
  EXPECT_EQ(m.at("nemo_generated_tokens_total"), 4000);
  EXPECT_EQ(m.at("nemo_step_seconds_total"), 1000);
}

}  // namespace
}  // namespace nemo
