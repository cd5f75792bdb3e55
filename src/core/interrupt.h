#pragma once

namespace core {

/// From now on SIGINT and SIGTERM only set a flag; a second signal of the kind ends the program at once.
/// Called by main; a library never changes signal handling.
void catch_interrupts();

/// Whether a signal has arrived since `catch_interrupts`. Long loops look at it between steps, save what
/// can be resumed and throw `Interrupted`.
bool interrupt_requested();

/// Sets or clears the flag as a signal would (tests, and programs with their own signal handling).
void set_interrupt(bool requested);

}  // namespace core
