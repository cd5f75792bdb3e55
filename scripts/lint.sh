#!/usr/bin/env bash
# clang-tidy over the sources that a build/release configuration compiles. usage: lint.sh [FILES …]
set -euo pipefail
cd "$(dirname "$0")/.."
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(
  # clang 14 cannot compile the headers of LibTorch 1.13 as C++20: the files that include them are left out; and so
  # are files that this configuration does not compile (geant4/ without Geant4).
  git ls-files -- 'src/*.cc' 'app/*.cc' 'geant4/*.cc' |
    grep -v -e calo/classify/cnn.cc -e calo/classify/mlp.cc -e calo/classify/torch_parameters.cc \
      -e calo/model/vae.cc -e calo/model/torch_optimizer.cc -e calo/convert/torch_reference.cc |
    while read -r file; do ! grep -qF "/$file\"" build/release/compile_commands.json || echo "$file"; done)

# tidy CHECKS FILES …: CHECKS on top of those of .clang-tidy. Warnings of g++ that clang does not know stand in
# compile_commands.json.
tidy() {
  local checks=$1; shift
  [ $# -eq 0 ] || printf '%s\0' "$@" |
    xargs -0 -P "$(nproc)" -n 4 clang-tidy-14 --quiet -p build/release --checks="$checks" \
      --extra-arg=-Wno-unknown-warning-option 2>/dev/null
}
# The static analyser takes two thirds of the time. It is for code that handles memory itself.
by_hand=() others=()
for file in "${files[@]}"; do
  case $file in
    src/calo/* | src/core/* | src/kfp/local/* | geant4/*) by_hand+=("$file") ;;
    *) others+=("$file") ;;
  esac
done
tidy '' "${by_hand[@]}"
tidy '-clang-analyzer-*' "${others[@]}"
echo "lint: ${#files[@]} files clean"
