#!/usr/bin/env bash
# clang-tidy over the sources that a build/release configuration compiles. usage: lint.sh [FILES …]
set -euo pipefail
cd "$(dirname "$0")/.."
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(git ls-files -- 'src/*.cc' 'app/*.cc')
# Warnings of g++ that clang does not know stand in compile_commands.json.
printf '%s\0' "${files[@]}" |
  xargs -0 -P "$(nproc)" -n 4 clang-tidy-14 --quiet -p build/release \
    --extra-arg=-Wno-unknown-warning-option 2>/dev/null
echo "lint: ${#files[@]} files clean"
