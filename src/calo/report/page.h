#pragma once

#include <string>

namespace calo {

/// From the doctype to `<body>`: an HTML page in the look of all our reports, light and dark, without a
/// network.
/// @param title as plain text
std::string page_head(const std::string& title);

/// Text that may stand in HTML, in an attribute too.
std::string escape_html(const std::string& text);

}  // namespace calo
