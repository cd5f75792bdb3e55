#!/usr/bin/env bash
# Formats the C++ sources in place; --check only reports files that are not formatted.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(-i)
[ "${1:-}" = "--check" ] && mode=(--dry-run -Werror)
git ls-files -z -- '*.cc' '*.h' '*.cpp' | xargs -0 clang-format-14 "${mode[@]}"
