#!/usr/bin/env bash
# Runs clang-tidy on the sources that build/release has been built of. Usage: lint.sh [--all | FILES …]
# Without arguments it checks the files that have changed, or include a header that has changed, since the commit in
# .ci/linted, at which all were clean. If --all finds nothing, it writes the current commit to .ci/linted.
set -euo pipefail
cd "$(dirname "$0")/.."
all=
[ "${1:-}" != --all ] || { all=1; shift; }

# Each source by itself, without precompiled headers, which clang-tidy cannot read; the headers that the build makes are those of
# build/release.
database=build/lint
cmake --preset release -B "$database" -DCALOPIPE_UNITY=OFF -DCALOPIPE_TESTS=OFF -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON \
  >build/lint-configure.log 2>&1 || { cat build/lint-configure.log >&2; exit 1; }
sed -E -i "s|(\"command\": \")[^\"]*/ccache |\1|; s| -fpch-preprocess||; s|$PWD/$database/|$PWD/build/release/|g" \
  "$database/compile_commands.json"

# Prints those sources of standard input that have changed, or include a changed header.
changed_since() {
  git diff --name-only "$1" >"$database/changed"
  # Who includes what: paths of includes are relative to src/ or to the root.
  git grep -E '^#include "' -- '*.h' '*.cc' |
    sed -E 's|^([^:]+):#include "([^"]+)".*|\1 \2|' |
    awk 'NR == FNR { affected[$1]; next } { source[++n] = $1; header[n] = $2 }
         END {
           do {
             grown = 0
             for (i = 1; i <= n; ++i)
               if (!(source[i] in affected) && (header[i] in affected || "src/" header[i] in affected)) {
                 affected[source[i]]; grown = 1
               }
           } while (grown)
           for (file in affected) print file
         }' "$database/changed" - >"$database/affected"
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
