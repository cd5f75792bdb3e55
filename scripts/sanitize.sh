#!/usr/bin/env bash
# Builds the tests with the address and undefined-behaviour sanitizers and runs them.
set -euo pipefail
cd "$(dirname "$0")/.."
# Debian's LibTorch is not instrumented: ignore leaks and container annotations inside it.
export ASAN_OPTIONS=detect_container_overflow=0:detect_leaks=0:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
scripts/test.sh asan -LE e2e
