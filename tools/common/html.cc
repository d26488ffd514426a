#include "tools/common/html.h"

#include "libcore/base/format.h"

namespace nemo {
namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1c2024; --soft: #5f6b76; --line: #d9dee3;
  --warn: #9a4b00; --s0: #1f6fb4; --s1: #c2410c; --s2: #2f7d32; --s3: #8b3fa8; --s4: #b0840a;
  --s5: #0f8b8d; --s6: #c2185b; --s7: #5b6770; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181b; --ink: #e6e9ec; --soft: #9aa5af;
  --line: #343b42; --warn: #ffb066; --s0: #6db3f2; --s1: #ff8f5e; --s2: #7cc77f; --s3: #cf93e6;
  --s4: #e6c04d; --s5: #5cc9cb; --s6: #f27ba8; --s7: #a9b4bd; } }
body { margin: 2rem auto; max-width: 92rem; padding: 0 1rem; background: var(--paper); color: var(--ink);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .3rem; } h2 { font-size: 1.1rem; margin: 1.8rem 0 .5rem; }
pre { color: var(--soft); font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; margin: 0; }
svg { width: 100%; height: auto; font: 11px ui-monospace, monospace; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: .2rem .7rem .2rem 0; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { color: var(--soft); font-weight: 600; } th.left, td.left { text-align: left; }
.warn { color: var(--warn); }
)";

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string HtmlPage(std::string_view title, std::string_view style, std::string_view body) {
  return Format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}{}</style></head>\n<body>\n{}</body></html>\n",
      EscapeHtml(title), kStyle, style, body);
}

}  // namespace nemo
