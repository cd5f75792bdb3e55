#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace calo {

/// The pages of web/, each one self-contained HTML file once it is filled: light and dark, without a network.
enum class Page { kReport, kBenchmark, kTune };

/// A sentence of a page's verdict.
struct VerdictItem {
  bool good = false;
  std::string text;
  bool is_neutral = false;  ///< true if it is about nothing good or bad, so that it gets no mark
};

/// What stands above and below the plots of a page.
struct PageText {
  std::string title;  ///< of the browser's window
  std::string heading;
  std::string subtitle;
  std::vector<std::string> warnings = {};
  std::vector<VerdictItem> verdict = {};
  nlohmann::json provenance = {};
};

/// A page with its data, as HTML. @param data  an object, which the page's script shows
std::string fill_page(Page page, const PageText& text, nlohmann::json data);

/// The data of a page that fill_page() made, from its file.
/// @throws core::InputError if the file is no such page
nlohmann::json page_data(const std::filesystem::path& file);

}  // namespace calo
