#pragma once

#include <string>

#include "calo/validate/validation.h"

namespace calo {

/// One observable as SVG: full (filled steps) and fast (points with errors), and the ratio fast / full below.
/// Colours come from the page's style sheet (classes full, fast, axis, grid).
std::string svg_plot(const Comparison& comparison);

/// Text safe inside HTML and SVG.
std::string escape_html(const std::string& text);

}  // namespace calo
