#include "core/interrupt.h"

#include <csignal>

namespace core {
namespace {

volatile std::sig_atomic_t requested_flag = 0;

extern "C" void on_signal(int signal_number) {
  if (requested_flag != 0) {
    std::signal(signal_number, SIG_DFL);
    std::raise(signal_number);
  }
  requested_flag = 1;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool interrupt_requested() {
  return requested_flag != 0;
}

void set_interrupt(bool requested) {
  requested_flag = requested ? 1 : 0;
}

}  // namespace core
