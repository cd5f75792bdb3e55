#include "calo/report/page.h"

#include <string_view>

#include "core/error.h"
#include "core/staged_output.h"

// The pages lie in the program as they are: half a megabyte as a C++ array would compile for long.
asm(".section .rodata\n"
    "calopipe_report_page: .incbin \"" CALOPIPE_PAGES
    "/report.html\"\n"
    "calopipe_benchmark_page: .incbin \"" CALOPIPE_PAGES
    "/benchmark.html\"\n"
    "calopipe_tune_page: .incbin \"" CALOPIPE_PAGES
    "/tune.html\"\n"
    "calopipe_pages_end:\n"
    ".byte 0\n"
    ".global calopipe_report_page, calopipe_benchmark_page, calopipe_tune_page, calopipe_pages_end\n"
    ".previous\n");

extern "C" const char calopipe_report_page[], calopipe_benchmark_page[], calopipe_tune_page[],
    calopipe_pages_end[];

namespace calo {
namespace {

using nlohmann::json;

// As in web/page/index.html.
constexpr std::string_view kDataBegin = "<script type=\"application/json\" id=\"data\">",
                           kDataEnd = "</script>";

std::string_view template_of(Page page) {
  const char* const places[] = {calopipe_report_page, calopipe_benchmark_page, calopipe_tune_page,
                                calopipe_pages_end};
  const char* const* begin_of = places + static_cast<int>(page);
  const char *begin = begin_of[0], *end = begin_of[1];
  return {begin, static_cast<std::size_t>(end - begin)};
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

std::string escape_html(std::string text) {
  replace_all(text, "&", "&amp;");
  replace_all(text, "<", "&lt;");
  return text;
}

json to_json(const PageText& text) {
  json verdict = json::array();
  for (const VerdictItem& item : text.verdict) {
    verdict.push_back({{"text", item.text}});
    if (!item.is_neutral) verdict.back()["good"] = item.good;
  }
  return {{"heading", text.heading},
          {"subtitle", text.subtitle},
          {"warnings", text.warnings},
          {"verdict", std::move(verdict)},
          {"provenance", text.provenance}};
}

}  // namespace

nlohmann::json page_data(const std::filesystem::path& file) {
  const std::string text = core::read_file(file);
  const std::size_t begin = text.find(kDataBegin);
  const std::size_t end = begin == std::string::npos ? begin : text.find(kDataEnd, begin);
  json data;
  if (end != std::string::npos)
    data = json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin + kDataBegin.size()),
                       text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
  if (!data.is_object())
    throw core::InputError({.message = "is not a report of this version of calopipe", .file = file});
  return data;
}

std::string fill_page(Page page, const PageText& text, json data) {
  data["page"] = to_json(text);
  std::string content = data.dump();
  replace_all(content, "<", "\\u003c");  // nothing in it may end the script element
  std::string filled(template_of(page));
  constexpr std::string_view kTitle = "{{title}}", kData = "{{data}}";
  filled.replace(filled.find(kData), kData.size(), content);
  filled.replace(filled.find(kTitle), kTitle.size(), escape_html(text.title));
  return filled;
}

}  // namespace calo
