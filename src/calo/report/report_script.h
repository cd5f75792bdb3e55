#pragma once

#include <string_view>

namespace calo {

/// The bundled script of the report (web/report, with JSROOT), as it stands in the page.
std::string_view report_script();

}  // namespace calo
