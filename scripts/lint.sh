#!/usr/bin/env bash
# Runs clang-tidy on the sources that build/release compiles. Usage: lint.sh [--all | FILES …]
# Without arguments it checks the files that have changed, or include a header that has changed, since the commit in
# .ci/linted, at which all were clean. If --all finds nothing, it writes the current commit to .ci/linted.
set -euo pipefail
cd "$(dirname "$0")/.."
all=
[ "${1:-}" != --all ] || { all=1; shift; }

# clang-tidy supports neither the precompiled headers of g++ nor a command before the compiler.
database=build/lint
mkdir -p "$database"
sed -E 's|("command": ")[^"]*/ccache |\1|; s| -include [^ ]*/cmake_pch.hxx||; s/ -Winvalid-pch//; s/ -fpch-preprocess//' build/release/compile_commands.json \
  >"$database/compile_commands.json"

# Prints those sources of standard input that have changed, or include a changed header.
changed_since() {
  git diff --name-only "$1" >"$database/changed"
  # The headers of each source, as recorded by the compiler.
  ninja -C build/release -t deps | awk -v root="$PWD/" '
    /^[^ ]/ { source = "" }
    /^ / { sub(/^ +/, ""); if (index($0, root) != 1) next
           file = substr($0, length(root) + 1); if (source == "") source = file; print source "\t" file }' |
    awk -F'\t' 'NR == FNR { changed[$1]; next } $2 in changed { print $1 }' "$database/changed" - |
    sort -u - <(grep '\.cc$' "$database/changed" || true) >"$database/affected"
  grep -xF -f "$database/affected" || true
}

files=("$@")
if [ ${#files[@]} -eq 0 ]; then
  # clang 14 cannot compile the headers of LibTorch 1.13 as C++20: calo/torch is left out, and so are files that this
  # configuration does not compile (geant4/ without Geant4).
  git ls-files -- 'src/*.cc' 'app/*.cc' 'geant4/*.cc' | grep -v '^src/calo/torch/' |
    while read -r file; do ! grep -qF "/$file\"" "$database/compile_commands.json" || echo "$file"; done >"$database/files"
  since=$(cat .ci/linted)
  if [ -n "$all" ] || ! git cat-file -e "$since^{commit}" 2>/dev/null ||
      ! git diff --quiet "$since" -- .clang-tidy scripts/lint.sh; then
    mapfile -t files <"$database/files"
  else
    mapfile -t files < <(changed_since "$since" <"$database/files")
  fi
fi

# tidy CHECKS FILES …: runs CHECKS in addition to those of .clang-tidy. compile_commands.json has warning options of g++
# that clang does not know.
tidy() {
  local checks=$1; shift
  [ $# -eq 0 ] || printf '%s\0' "$@" |
    xargs -0 -P "$(nproc)" -n 4 clang-tidy-14 --quiet -p "$database" --checks="$checks" \
      --extra-arg=-Wno-unknown-warning-option 2>/dev/null
}
# The static analyser takes two thirds of the time, so it runs only on code that manages memory itself.
by_hand=() others=()
for file in "${files[@]}"; do
  case $file in
    src/calo/* | src/core/* | src/kfp/local/* | geant4/*) by_hand+=("$file") ;;
    *) others+=("$file") ;;
  esac
done
tidy '' "${by_hand[@]}"
tidy '-clang-analyzer-*' "${others[@]}"
[ -z "$all" ] || git rev-parse HEAD >.ci/linted
echo "lint: ${#files[@]} files clean"
