#include "core/interrupt.h"

#include <array>
#include <csignal>
#include <cstddef>

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

// The handler has its own stack: compiled kernels of the BLAS libraries keep data below the stack pointer,
// where a handler on the usual stack would overwrite it (seen as a corrupted heap). Signals to the process go
// to the thread that calls this, as long as it does not block them.
void catch_interrupts() {
  static std::array<std::byte, 1 << 16> stack_memory;
  stack_t stack{};
  stack.ss_sp = stack_memory.data();
  stack.ss_size = stack_memory.size();
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK;
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
