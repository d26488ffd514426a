#include "tools/nemo-bench/report/compare.h"

#include <cmath>
#include <utility>

#include "libcore/base/format.h"
#include "tools/common/table.h"
#include "tools/nemo-bench/report/columns.h"

namespace nemo {
namespace {

const Record* FindRecord(const Report& report, const std::string& name) {
  for (const Record& record : report.records) {
    if (record.name == name) return &record;
  }
  return nullptr;
}

std::optional<Comparison> CompareRow(const Record& a, const Record& b, const std::string& rate) {
  Comparison row;
  row.name = a.name;
  if (rate.empty()) {
    if (a.time.median <= 0 || b.time.median <= 0) return std::nullopt;
    row.a = a.time.median;
    row.b = b.time.median;
    row.speed = row.a / row.b;
    row.within_noise = a.time.p10 <= b.time.p90 && b.time.p10 <= a.time.p90;
    return row;
  }
  const Rate *rate_a = a.FindRate(rate), *rate_b = b.FindRate(rate);
  if (rate_a == nullptr || rate_b == nullptr || rate_a->value <= 0) return std::nullopt;
  row.a = rate_a->value;
  row.b = rate_b->value;
  row.speed = row.b / row.a;
  return row;
}

const char* Verdict(const Comparison& row) {
  if (row.within_noise) return "within noise";
  return row.speed > 1 ? "faster" : row.speed < 1 ? "slower" : "equal";
}

}  // namespace

std::vector<Comparison> ComparisonReport::Slower(double allowed) const {
  std::vector<Comparison> slower;
  for (const Comparison& row : rows) {
    if (row.speed < 1 / (1 + allowed) && !row.within_noise) slower.push_back(row);
  }
  return slower;
}

double ComparisonReport::MeanSpeed() const {
  double sum = 0;
  for (const Comparison& row : rows) sum += std::log(row.speed);
  return rows.empty() ? 1 : std::exp(sum / static_cast<double>(rows.size()));
}

Result<ComparisonReport> Compare(const Report& a, const Report& b, const std::string& rate) {
  ComparisonReport comparison;
  for (const Record& record : a.records) {
    const Record* other = FindRecord(b, record.name);
    if (other == nullptr) {
      comparison.only_a.push_back(record.name);
    } else if (const auto row = CompareRow(record, *other, rate)) {
      comparison.rows.push_back(*row);
    }
  }
  for (const Record& record : b.records) {
    if (FindRecord(a, record.name) == nullptr) comparison.only_b.push_back(record.name);
  }
  if (!comparison.rows.empty()) return comparison;
  if (rate.empty()) return InvalidArgument("the two reports have no row in common");
  return InvalidArgument(Format("the two reports have no row in common with the rate '{}'", rate));
}

Value ToValue(const ComparisonReport& comparison) {
  Value::Array rows;
  for (const Comparison& row : comparison.rows) {
    Value value;
    value.Set("name", row.name);
    value.Set("a", row.a);
    value.Set("b", row.b);
    value.Set("speed", row.speed);
    value.Set("within_noise", row.within_noise);
    rows.push_back(std::move(value));
  }
  Value value;
  value.Set("rows", std::move(rows));
  value.Set("mean_speed", comparison.MeanSpeed());
  value.Set("only_a", Value::ArrayOf(comparison.only_a));
  value.Set("only_b", Value::ArrayOf(comparison.only_b));
  return value;
}

std::string ToText(const ComparisonReport& comparison, const std::string& rate, int max_width) {
  constexpr auto kRight = Table::Align::kRight;
  const std::string unit = rate.empty() ? "" : " " + rate;
  Table table({{"name"}, {"A" + unit, kRight}, {"B" + unit, kRight}, {"B / A", kRight}, {""}});
  for (const Comparison& row : comparison.rows) {
    const auto figure = [&](double v) { return rate.empty() ? FormatSeconds(v) : FormatRate(v); };
    table.AddRow(
        {row.name, figure(row.a), figure(row.b), Format("{:.3f}x", row.speed), Verdict(row)});
  }
  std::string text = table.ToText(max_width);
  text += Format("\n{} rows, B runs at {:.3f} times the speed of A (geometric mean)\n",
                 comparison.rows.size(), comparison.MeanSpeed());
  for (const auto& [side, names] :
       {std::pair("A", &comparison.only_a), std::pair("B", &comparison.only_b)}) {
    if (!names->empty()) text += Format("only in {}: {}\n", side, fmt::join(*names, ", "));
  }
  return text;
}

}  // namespace nemo
