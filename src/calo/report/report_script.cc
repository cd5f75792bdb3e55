#include "calo/report/report_script.h"

// The bundle lies in the program as it is: half a megabyte as a C++ array would compile for long.
asm(".section .rodata\n"
    "calopipe_report_script: .incbin \"" CALOPIPE_REPORT_SCRIPT
    "\"\n"
    "calopipe_report_script_end:\n"
    ".byte 0\n"
    ".global calopipe_report_script, calopipe_report_script_end\n"
    ".previous\n");

extern "C" const char calopipe_report_script[], calopipe_report_script_end[];

namespace calo {

std::string_view report_script() {
  return {calopipe_report_script,
          static_cast<std::size_t>(calopipe_report_script_end - calopipe_report_script)};
}

}  // namespace calo
