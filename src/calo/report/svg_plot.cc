#include "calo/report/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace calo {
namespace {

constexpr double kWidth = 460, kHeight = 330, kLeft = 62, kRight = 12, kTop = 12, kSplit = 225,
                 kRatioTop = 237, kBottom = 292;

// Positions of readable ticks.
std::vector<double> ticks(double low, double high, int wanted) {
  const double raw = (high - low) / wanted;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double step = (raw / power < 1.5 ? 1 : raw / power < 3.5 ? 2 : raw / power < 7.5 ? 5 : 10) * power;
  std::vector<double> result;
  for (double x = std::ceil(low / step - 1e-9) * step; x <= high + step * 1e-9; x += step)
    result.push_back(std::abs(x) < step * 1e-9 ? 0 : x);
  return result;
}

class Scale {
 public:
  Scale(double low, double high, double from, double to, bool logarithmic = false)
      : low_(logarithmic ? std::log10(low) : low),
        high_(logarithmic ? std::log10(high) : high),
        from_(from),
        to_(to),
        log_(logarithmic) {}

  double operator()(double value) const {
    const double v = log_ ? (value > 0 ? std::log10(value) : low_) : value;
    return from_ + (std::clamp(v, low_ - (high_ - low_), high_ + (high_ - low_)) - low_) / (high_ - low_) *
                       (to_ - from_);
  }

 private:
  double low_, high_, from_, to_;
  bool log_;
};

std::string text(double x, double y, const char* anchor, const std::string& label, const char* extra = "") {
  return fmt::format("<text x='{:.1f}' y='{:.1f}' text-anchor='{}'{}>{}</text>", x, y, anchor, extra,
                     escape_html(label));
}

std::string line(double x1, double y1, double x2, double y2, const char* style) {
  return fmt::format("<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}' class='{}'/>", x1, y1, x2, y2,
                     style);
}

}  // namespace

std::string escape_html(const std::string& plain) {
  std::string safe;
  for (const char c : plain) {
    switch (c) {
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '&':
        safe += "&amp;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string svg_plot(const Comparison& c) {
  double top = 0, lowest = std::numeric_limits<double>::infinity();
  for (const auto* values : {&c.full, &c.fast})
    for (const double value : *values) {
      top = std::max(top, value);
      if (value > 0) lowest = std::min(lowest, value);
    }
  if (top <= 0) top = lowest = 1;
  const double bottom = c.log_y ? std::max(lowest / 2, top * 1e-6) : 0;
  top *= c.log_y ? 2.5 : 1.15;
  const Scale x(c.edges.front(), c.edges.back(), kLeft, kWidth - kRight);
  const Scale y(bottom, top, kSplit, kTop, c.log_y);
  const Scale ratio(0.5, 1.5, kBottom, kRatioTop);
  std::string svg = fmt::format("<svg viewBox='0 0 {} {}' role='img' aria-label='{}'>", kWidth, kHeight,
                                escape_html(c.title));

  for (const double tick : ticks(c.edges.front(), c.edges.back(), 6)) {
    svg += line(x(tick), kTop, x(tick), kSplit, "grid") + line(x(tick), kRatioTop, x(tick), kBottom, "grid");
    svg += text(x(tick), kBottom + 14, "middle", fmt::format("{:.4g}", tick));
  }
  if (c.log_y) {
    for (int power = static_cast<int>(std::ceil(std::log10(bottom))); power <= std::log10(top); ++power) {
      const double at = y(std::pow(10, power));
      svg += line(kLeft, at, kWidth - kRight, at, "grid") +
             text(kLeft - 6, at + 4, "end", fmt::format("1e{}", power));
    }
  } else {
    for (const double tick : ticks(0, top, 5))
      svg += line(kLeft, y(tick), kWidth - kRight, y(tick), "grid") +
             text(kLeft - 6, y(tick) + 4, "end", fmt::format("{:.3g}", tick));
  }
  for (const double tick : {0.5, 1.0, 1.5})
    svg += line(kLeft, ratio(tick), kWidth - kRight, ratio(tick), tick == 1 ? "axis" : "grid") +
           text(kLeft - 6, ratio(tick) + 4, "end", fmt::format("{:g}", tick));

  std::string path = fmt::format("M{:.1f},{:.1f}", x(c.edges[0]), kSplit);
  for (std::size_t i = 0; i < c.full.size(); ++i) {
    const double at = std::min(kSplit, y(c.full[i]));
    path += fmt::format("L{:.1f},{:.1f}L{:.1f},{:.1f}", x(c.edges[i]), at, x(c.edges[i + 1]), at);
  }
  path += fmt::format("L{:.1f},{:.1f}Z", x(c.edges.back()), kSplit);
  svg += fmt::format("<path d='{}' class='full'/>", path);
  for (std::size_t i = 0; i < c.full.size(); ++i) {
    const double middle = x((c.edges[i] + c.edges[i + 1]) / 2);
    if (c.full[i] > 0 && c.full_error[i] > 0)
      svg += line(middle, std::min(kSplit, y(std::max(bottom, c.full[i] - c.full_error[i]))), middle,
                  std::min(kSplit, y(c.full[i] + c.full_error[i])), "full-error");
    if (c.fast[i] > 0 && c.fast[i] >= bottom) {
      svg += line(middle, std::min(kSplit, y(std::max(bottom, c.fast[i] - c.fast_error[i]))), middle,
                  y(c.fast[i] + c.fast_error[i]), "fast-error");
      svg += fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='2.4' class='fast'/>", middle, y(c.fast[i]));
    }
    if (c.full[i] <= 0 || c.fast[i] <= 0) continue;
    const double value = c.fast[i] / c.full[i];
    const double error = value * std::hypot(c.full_error[i] / c.full[i], c.fast_error[i] / c.fast[i]);
    const double low = std::clamp(value - error, 0.5, 1.5), high = std::clamp(value + error, 0.5, 1.5);
    if (low < high) svg += line(middle, ratio(low), middle, ratio(high), "fast-error");
    if (value >= 0.5 && value <= 1.5)
      svg += fmt::format("<circle cx='{:.1f}' cy='{:.1f}' r='2.2' class='fast'/>", middle, ratio(value));
  }
  svg += fmt::format(
      "<rect x='{0}' y='{1}' width='{2}' height='{3}' class='frame'/><rect x='{0}' y='{4}' width='{2}' "
      "height='{5}' class='frame'/>",
      kLeft, kTop, kWidth - kRight - kLeft, kSplit - kTop, kRatioTop, kBottom - kRatioTop);
  svg += text(kWidth - kRight, kBottom + 32, "end",
              c.unit.empty() ? c.title : fmt::format("{} [{}]", c.is_profile ? "position" : c.title, c.unit));
  svg += text(14, (kTop + kSplit) / 2, "middle",
              c.is_profile              ? "mean energy [MeV]"
              : c.name == "cell_energy" ? "cells a shower"
                                        : "share of showers",
              " transform='rotate(-90 14 118)'");
  svg += text(14, (kRatioTop + kBottom) / 2, "middle", "fast/full", " transform='rotate(-90 14 264)'");
  return svg + "</svg>";
}

}  // namespace calo
