#pragma once

namespace core {

/// After this call, SIGINT and SIGTERM only set a flag; a second signal of the same kind ends the program at
/// once. Only main calls this; a library never changes signal handling.
void catch_interrupts();

/// True if a signal has arrived since `catch_interrupts`. Long loops check it between steps, save the state
/// needed to resume and throw `Interrupted`.
bool interrupt_requested();

/// Sets or clears the flag as a signal would (for tests, and programs with their own signal handling).
void set_interrupt(bool requested);

}  // namespace core
