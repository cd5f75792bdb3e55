#!/usr/bin/env bash
# clang-tidy over the sources that a build/release configuration compiles. usage: lint.sh [FILES …]
set -euo pipefail
cd "$(dirname "$0")/.."
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(
  # clang 14 cannot compile the headers of LibTorch 1.13 as C++20: the files that include them are left out.
  git ls-files -- 'src/*.cc' 'app/*.cc' | grep -v -e calo/model/vae.cc -e calo/model/torch_optimizer.cc \
    -e calo/convert/torch_reference.cc)
# Warnings of g++ that clang does not know stand in compile_commands.json.
printf '%s\0' "${files[@]}" |
  xargs -0 -P "$(nproc)" -n 4 clang-tidy-14 --quiet -p build/release \
    --extra-arg=-Wno-unknown-warning-option 2>/dev/null
echo "lint: ${#files[@]} files clean"
