#include "tools/nemo-bench/report/svg.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "libcore/base/format.h"
#include "tools/common/html.h"

namespace nemo {
namespace {

constexpr double kCharacterWidth = 6.2, kLineHeight = 13;  // of the labels' font

struct Place {
  double left, top, right, bottom;

  bool Meets(const Place& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

/// Whole decades mapped to pixels.
struct LogAxis {
  double low = 0, high = 0;  // exponents of ten
  double pixel_low = 0, pixel_high = 0;

  double At(double value) const {
    return pixel_low + (std::log10(value) - low) / (high - low) * (pixel_high - pixel_low);
  }
};

constexpr double kWidth = 960, kHeight = 560;
constexpr double kLeft = 64, kRight = 944, kTop = 16, kBottom = 508;

class Roofline {
 public:
  Roofline(const Limits& limits, std::vector<RooflinePoint> points)
      : limits_(limits), points_(std::move(points)) {
    const double ridge = limits.flops_per_second / limits.read_bytes_per_second;
    double x_low = ridge / 10, x_high = ridge * 10;
    double y_low = limits.flops_per_second / 100, y_high = limits.flops_per_second;
    for (const RooflinePoint& point : points_) {
      x_low = std::min(x_low, point.intensity);
      x_high = std::max(x_high, point.intensity);
      y_low = std::min(y_low, point.flops_per_second);
      y_high = std::max(y_high, point.flops_per_second);
    }
    x_ = {std::floor(std::log10(x_low)), std::ceil(std::log10(x_high)), kLeft, kRight};
    y_ = {std::floor(std::log10(y_low)), std::ceil(std::log10(y_high * 1.05)), kBottom, kTop};
  }

  std::string Draw() {
    std::string text = Format(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Roofline: FLOP/s over FLOP per "
        "byte\">\n",
        kWidth, kHeight);
    text += Grid();
    text += Roof("roof", limits_.read_bytes_per_second, "read");
    text += Roof("roof copy", limits_.copy_bytes_per_second, "copy");
    for (const RooflinePoint& point : points_) taken_.push_back(PlaceOf(point));
    std::string labels;
    for (const RooflinePoint& point : points_) {
      text += Format(
          "<circle class=\"s{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"><title>{}: {:.3g} TFLOP/s at "
          "{:.3g} FLOP/byte</title></circle>\n",
          point.series % kSeriesColours, x_.At(point.intensity), y_.At(point.flops_per_second),
          EscapeHtml(point.label), point.flops_per_second / 1e12, point.intensity);
      labels += Label(point);
    }
    return text + labels + "</svg>\n";
  }

 private:
  Place PlaceOf(const RooflinePoint& point) const {
    const double x = x_.At(point.intensity), y = y_.At(point.flops_per_second);
    return {x - 5, y - 5, x + 5, y + 5};
  }

  std::string Grid() const {
    std::string text;
    for (double exponent = x_.low; exponent <= x_.high; ++exponent) {
      const double x = x_.At(std::pow(10, exponent));
      text += Format(
          "<line class=\"grid\" x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\"/>"
          "<text class=\"axis\" x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\">{4:g}</text>\n",
          x, kTop, kBottom, kBottom + 18, std::pow(10, exponent));
    }
    for (double exponent = y_.low; exponent <= y_.high; ++exponent) {
      const double y = y_.At(std::pow(10, exponent));
      text += Format(
          "<line class=\"grid\" x1=\"{0}\" y1=\"{1:.1f}\" x2=\"{2}\" y2=\"{1:.1f}\"/>"
          "<text class=\"axis\" x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5:g}</text>\n",
          kLeft, y, kRight, kLeft - 8, y + 4, std::pow(10, exponent - 12));
    }
    return text + Format(
                      "<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">FLOP per byte "
                      "moved</text><text class=\"axis\" transform=\"translate(14 {}) rotate(-90)\" "
                      "text-anchor=\"middle\">TFLOP/s</text>\n",
                      (kLeft + kRight) / 2, kBottom + 40, (kTop + kBottom) / 2);
  }

  /// From the left or lower edge up to the ridge, then level to the right edge.
  std::string Roof(const char* style, double bytes_per_second, const char* name) {
    const double lowest = std::pow(10, y_.low), leftmost = std::pow(10, x_.low);
    const double begin = std::max(leftmost, lowest / bytes_per_second);
    const double ridge = limits_.flops_per_second / bytes_per_second;
    const double top = y_.At(limits_.flops_per_second);
    std::string text =
        Format("<path class=\"{}\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}H{}\"/>\n", style, x_.At(begin),
               y_.At(begin * bytes_per_second), x_.At(ridge), top, kRight);
    // Beside the slope, where points seldom lie; the two names at different heights.
    const double at = begin * std::pow(ridge / begin, name[0] == 'r' ? 0.75 : 0.45);
    const std::string words = Format("{} {:.3g} GB/s", name, bytes_per_second / 1e9);
    text += RoofName(words, x_.At(at), y_.At(at * bytes_per_second) - 8);
    if (name[0] == 'r') {
      text +=
          RoofName(Format("{:.3g} TFLOP/s, {}", limits_.flops_per_second / 1e12, limits_.compute),
                   kRight - 6, top - 7);
    }
    return text;
  }

  /// Ends at x.
  std::string RoofName(const std::string& words, double x, double y) {
    const double width = kCharacterWidth * static_cast<double>(words.size());
    taken_.push_back({x - width, y - kLineHeight, x, y + 3});
    return Format(
        "<text class=\"roofname\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}"
        "</text>\n",
        x, y, EscapeHtml(words));
  }

  /// The nearest free place around the point, with a line to it when that is not beside it.
  std::string Label(const RooflinePoint& point) {
    const double x = x_.At(point.intensity), y = y_.At(point.flops_per_second);
    const double width = kCharacterWidth * static_cast<double>(point.label.size());
    constexpr double kAngles[] = {0, 3.14, 0.6, 2.5, -0.6, -2.5, 1.2, 1.9, -1.2, -1.9};
    for (double radius = 9; radius <= 130; radius += 9) {
      for (const double angle : kAngles) {
        const double end_x = x + radius * std::cos(angle), end_y = y + radius * std::sin(angle);
        const bool right = std::cos(angle) >= 0;
        const double left = right ? end_x : end_x - width;
        const Place place = {left, end_y - kLineHeight / 2, left + width, end_y + kLineHeight / 2};
        if (place.left < kLeft || place.right > kRight || place.top < kTop ||
            place.bottom > kBottom) {
          continue;
        }
        if (std::any_of(taken_.begin(), taken_.end(),
                        [&](const Place& other) { return place.Meets(other); })) {
          continue;
        }
        taken_.push_back(place);
        std::string text;
        if (radius > 10) {
          text = Format(
              "<line class=\"leader\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" "
              "y2=\"{:.1f}\"/>",
              x, y, end_x, end_y);
        }
        return text + Format(
                          "<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" "
                          "text-anchor=\"{}\">{}</text>\n",
                          end_x, end_y + 4, right ? "start" : "end", EscapeHtml(point.label));
      }
    }
    return "";  // its tooltip has it
  }

  const Limits& limits_;
  std::vector<RooflinePoint> points_;
  LogAxis x_, y_;
  std::vector<Place> taken_;
};

}  // namespace

std::string RooflineSvg(const Limits& limits, const std::vector<RooflinePoint>& points) {
  std::vector<RooflinePoint> drawn;
  for (const RooflinePoint& point : points) {
    if (point.intensity > 0 && point.flops_per_second > 0) drawn.push_back(point);
  }
  if (drawn.empty() || !limits.known()) return "";
  return Roofline(limits, std::move(drawn)).Draw();
}

std::string BarsSvg(const std::vector<Bar>& bars) {
  if (bars.empty()) return "";
  constexpr double kRow = 20, kBarHeight = 12, kEnd = 900, kHead = 24;
  size_t longest = 0;
  double most = 1;
  for (const Bar& bar : bars) {
    longest = std::max(longest, bar.label.size());
    most = std::max({most, bar.fraction, bar.peer});
  }
  const double begin = 12 + 7 * static_cast<double>(longest);
  const double full = (kEnd - begin) / most;  // pixels of 100 %
  const double height = kHead + kRow * static_cast<double>(bars.size()) + 8;
  std::string text =
      Format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"Share of the limit reached\">\n",
             kWidth, height);
  for (int percent = 0; percent <= 100; percent += 25) {
    const double x = begin + full * percent / 100;
    text += Format(
        "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{}\" x2=\"{:.1f}\" y2=\"{}\"/>"
        "<text class=\"axis\" x=\"{:.1f}\" y=\"14\" text-anchor=\"middle\">{} %</text>\n",
        percent == 100 ? "roof" : "grid", x, kHead - 4, x, height - 4, x, percent);
  }
  double y = kHead;
  for (const Bar& bar : bars) {
    const double length = full * bar.fraction, peer_x = begin + full * bar.peer;
    // The figure stands behind the bar, or behind the peer's mark where that would cross it.
    constexpr double kFigureWidth = 48;
    double figure_x = begin + length + 5;
    if (bar.peer > 0 && peer_x > figure_x - 5 && peer_x < figure_x + kFigureWidth) {
      figure_x = peer_x + 5;
    }
    text += Format(
        "<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>"
        "<rect class=\"s{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\"/>"
        "<text class=\"label\" x=\"{:.1f}\" y=\"{:.1f}\">{:.0f} %</text>",
        begin - 6, y + 11, EscapeHtml(bar.label), bar.series % kSeriesColours, begin, y + 1, length,
        kBarHeight, figure_x, y + 11, 100 * bar.fraction);
    if (bar.peer > 0) {
      text += Format(
          "<line class=\"peer\" x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" "
          "y2=\"{2:.1f}\"><title>peer: {3:.0f} %</title></line>",
          peer_x, y - 1, y + kBarHeight + 3, 100 * bar.peer);
    }
    text += "\n";
    y += kRow;
  }
  return text + "</svg>\n";
}

}  // namespace nemo
