#include "calo/report/page.h"

#include <fmt/format.h>

namespace calo {
namespace {

constexpr const char* kStyle = R"css(
:root{--back:#fff;--text:#1b1f24;--soft:#5c6670;--line:#d9dee3;--panel:#f6f8fa;--full:#8fb4d9;--full-line:#2f6ea8;--fast:#c2410c;--good:#0f766e;--bad:#b42318}
@media(prefers-color-scheme:dark){:root{--back:#14181d;--text:#e6eaee;--soft:#9aa5b1;--line:#333b44;--panel:#1c2229;--full:#2b4a68;--full-line:#79aede;--fast:#fb923c;--good:#5eead4;--bad:#fca5a5}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1180px;padding:28px 24px 60px;background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif}
h1{font-size:26px;margin:0 0 2px}h2{font-size:19px;margin:34px 0 10px}.soft{color:var(--soft)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th,td{padding:6px 10px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}th:first-child,td:first-child{text-align:left}th{color:var(--soft);font-weight:600}
.good{color:var(--good)}.bad{color:var(--bad);font-weight:600}
nav{position:sticky;top:0;background:var(--back);padding:10px 0;border-bottom:1px solid var(--line);z-index:1}select{font:inherit;padding:5px 8px;background:var(--panel);color:var(--text);border:1px solid var(--line);border-radius:6px}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:18px;margin-top:14px}figure{margin:0;padding:12px;background:var(--panel);border:1px solid var(--line);border-radius:8px}figcaption{display:flex;justify-content:space-between;align-items:center;gap:10px;font-weight:600}figure small{color:var(--soft);font-variant-numeric:tabular-nums}.main{height:260px}.ratio{height:112px}.roc{height:372px}
.tools{display:flex;gap:4px}.tools button,.tools select{font:12px system-ui,sans-serif;padding:2px 7px;background:var(--back);color:var(--soft);border:1px solid var(--line);border-radius:5px;cursor:pointer}.tools button[aria-pressed=true]{color:var(--text);border-color:var(--soft)}:focus-visible{outline:2px solid var(--full-line);outline-offset:1px}
.key i{display:inline-block;width:12px;height:12px;border-radius:3px;vertical-align:-1px;margin:0 5px 0 14px}pre{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:12px;overflow:auto;font-size:12.5px}
.scroll{overflow-x:auto}@media print{nav,.tools{display:none}figure{break-inside:avoid}}
)css";

}  // namespace

std::string escape_html(const std::string& text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  return out;
}

std::string page_head(const std::string& title) {
  return fmt::format(
      "<!doctype html><html lang='en'><head><meta charset='utf-8'><meta name='viewport' "
      "content='width=device-width'><meta name='color-scheme' content='light dark'><title>{}</title><link "
      "rel='icon' href='data:,'><style>{}</style></head><body>",
      escape_html(title), kStyle);
}

}  // namespace calo
