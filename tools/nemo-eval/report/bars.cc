#include "tools/nemo-eval/report/bars.h"

#include <algorithm>

#include "libcore/base/format.h"
#include "tools/common/html.h"

namespace nemo {
namespace {

constexpr double kInterval = 1.96;  // standard errors: 95 % of a normal distribution
constexpr int kColours = 8;         // of the page's palette

std::string Whisker(const ScoreRow& row) {
  if (!row.stderr_) return "";
  const double low = std::max(0.0, row.value - kInterval * *row.stderr_);
  const double high = std::min(1.0, row.value + kInterval * *row.stderr_);
  return Format("<i class=\"whisker\" style=\"left:{:.3f}%;width:{:.3f}%\"></i>", 100 * low,
                100 * (high - low));
}

std::string Mark(const ScoreRow& row) {
  if (!row.published) return "";
  return Format("<i class=\"mark\" style=\"left:{:.3f}%\"></i>",
                100 * std::clamp(row.published->value, 0.0, 1.0));
}

std::string Track(const ScoreBar& bar) {
  const ScoreRow& row = *bar.row;
  if (!row.is_share()) return "<span class=\"track empty\"></span>";
  return Format(
      "<span class=\"track\"><i class=\"bar\" style=\"width:{:.3f}%;background:var(--s{})\"></i>"
      "{}{}</span>",
      100 * row.value, bar.series % kColours, Whisker(row), Mark(row));
}

std::string LabelHtml(const ScoreBar& bar) {
  if (bar.detail.empty()) return EscapeHtml(bar.label);
  return Format("{} <small>{}</small>", EscapeHtml(bar.label), EscapeHtml(bar.detail));
}

std::string Figure(const ScoreRow& row) {
  std::string text = row.ValueText();
  if (row.stderr_) {
    text += row.is_share() ? Format("<small> ± {:.2f}</small>", 100 * *row.stderr_)
                           : Format("<small> ± {:.2g}</small>", *row.stderr_);
  }
  return text;
}

}  // namespace

const char* const kBarsStyle = R"(
.bars { display: grid; grid-template-columns: minmax(8rem, max-content) minmax(8rem, 1fr) max-content;
  gap: .28rem .9rem; align-items: center; max-width: 68rem; font-variant-numeric: tabular-nums; }
.bars .row { display: contents; }
.bars .label { font-size: 13px; text-align: right; overflow-wrap: anywhere; }
.bars .label small, .bars .figure small { color: var(--soft); }
.bars .figure { font-size: 13px; white-space: nowrap; }
.bars .track { position: relative; height: 1.05rem; border-radius: 3px;
  background: repeating-linear-gradient(to right, var(--line) 0 1px, transparent 1px 25%), var(--groove); }
.bars .track.empty { background: none; }
.bars .bar { position: absolute; inset: 0 auto 0 0; border-radius: 3px; opacity: .85; }
.bars .whisker { position: absolute; top: 50%; height: .55rem; transform: translateY(-50%);
  border: solid var(--ink); border-width: 0 1.5px; box-sizing: border-box; min-width: 2px; }
.bars .whisker::before { content: ""; position: absolute; left: 0; right: 0; top: 50%;
  border-top: 1.5px solid var(--ink); transform: translateY(-50%); }
.bars .mark { position: absolute; top: -.16rem; bottom: -.16rem; width: 3px; margin-left: -1.5px;
  background: var(--warn); border-radius: 1px; box-shadow: 0 0 0 1px var(--paper); }
.bars .scale { position: relative; height: 1rem; color: var(--soft); font-size: 11px; }
.bars .scale b { position: absolute; transform: translateX(-50%); font-weight: 400; white-space: nowrap; }
@media (max-width: 40rem) {
  .bars { grid-template-columns: minmax(0, 7rem) minmax(2rem, 1fr) max-content; gap: .28rem .5rem; }
  .bars .figure small { display: block; }
}
)";

std::string BarsHtml(std::span<const ScoreBar> bars) {
  std::string text = "<div class=\"bars\">\n";
  bool shares = false;
  int place = 0;
  for (const ScoreBar& bar : bars) {
    shares = shares || bar.row->is_share();
    text += Format(
        "<div class=\"row\" title=\"{}\" data-task=\"{}\" data-name=\"{}\" data-value=\"{}\" "
        "data-place=\"{}\"><span class=\"label\">{}</span>{}<span "
        "class=\"figure\">{}</span></div>\n",
        EscapeHtml(bar.title), EscapeHtml(bar.row->name), EscapeHtml(bar.label), bar.row->value,
        place++, LabelHtml(bar), Track(bar), Figure(*bar.row));
  }
  if (shares) {
    text +=
        "<span></span><span class=\"scale\"><b style=\"left:0\">0</b><b style=\"left:25%\">25</b>"
        "<b style=\"left:50%\">50</b><b style=\"left:75%\">75</b>"
        "<b style=\"left:100%\">100 %</b></span><span></span>\n";
  }
  return text + "</div>\n";
}

}  // namespace nemo
