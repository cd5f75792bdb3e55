#!/usr/bin/env bash
# clang-tidy over the sources that build/release compiles. usage: lint.sh [--all | FILES …]
# Without arguments: those that changed, or include a header that changed, since the commit in .ci/linted, at which all
# were clean. After --all has found nothing, .ci/linted names the present commit.
set -euo pipefail
cd "$(dirname "$0")/.."
all=
[ "${1:-}" != --all ] || { all=1; shift; }

# clang-tidy takes neither the precompiled headers of g++ nor a command in front of the compiler.
database=build/lint
mkdir -p "$database"
sed -E 's|("command": ")[^"]*/ccache |\1|; s| -include [^ ]*/cmake_pch.hxx||; s/ -Winvalid-pch//; s/ -fpch-preprocess//' build/release/compile_commands.json \
  >"$database/compile_commands.json"

# Sources that changed, or include what changed, of those on standard input.
changed_since() {
  git diff --name-only "$1" >"$database/changed"
  # Of each source the headers, as the compiler noted them.
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
  # clang 14 cannot compile the headers of LibTorch 1.13 as C++20: calo/torch is left out; and so are files that this
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

# tidy CHECKS FILES …: CHECKS on top of those of .clang-tidy. Warnings of g++ that clang does not know stand in
# compile_commands.json.
tidy() {
  local checks=$1; shift
  [ $# -eq 0 ] || printf '%s\0' "$@" |
    xargs -0 -P "$(nproc)" -n 4 clang-tidy-14 --quiet -p "$database" --checks="$checks" \
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
[ -z "$all" ] || git rev-parse HEAD >.ci/linted
echo "lint: ${#files[@]} files clean"
