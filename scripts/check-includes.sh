#!/usr/bin/env bash
# Checks that every folder includes only what the table in doc/architecture.md allows: itself, the folders named there,
# and the folders that those may include. Headers in a folder detail/ are private: they are not installed, no header outside of
# detail/ includes them, and they are only used in the same library (kfp, calo). The first namespace of a header, apart from
# forward declarations, is the one of its folder in the table, or one inside of it.
set -euo pipefail
cd "$(dirname "$0")/.."
{
  sed -nE 's/^\| `((src\/)?([^`]+))\/` \| `?([^`|]*)`? \| .* \| ([^|]*) \|$/may \3 \5/p' doc/architecture.md
  git ls-files 'src/*.h' 'src/*.cc' 'app/*.h' 'app/*.cc' 'geant4/*.h' 'geant4/*.cc' |
    xargs grep -oE '^#include "[^"]+/[^/"]+"' |
    sed -E 's/^(src\/)?([^:]+)\/[^/:]+:#include "(.*)\/[^/]*"$/has \2 \3 &/' |
    sed -E 's/^(has [^ ]+)\/detail /\1 /; s/^(has [^ ]+ [^ ]+)\/detail /\1 /'
} | awk '
  $1 == "may" { folder = $2; known[folder]
                for (i = 3; i <= NF; ++i) { gsub(",", "", $i); if ($i != "–") allowed[folder, $i] } next }
  # Add the folders that those may include, until nothing is new.
  !closed { closed = 1
            do { grown = 0
                 for (pair in allowed) { split(pair, at, SUBSEP)
                   for (next_folder in known)
                     if ((at[2], next_folder) in allowed && !((at[1], next_folder) in allowed)) {
                       allowed[at[1], next_folder]; grown = 1 } }
            } while (grown) }
  $4 ~ /:#include/ || $5 ~ /"[^"]*\/detail\// {
    from = $4; sub(/:#include.*/, "", from)
    if ($0 ~ /#include "[^"]*\/detail\// && ((from ~ /\.h$/ && from !~ /\/detail\//) || substr(from, 1, 8) != "src/" substr($3, 1, 4))) {
      print "check-includes: " substr($0, index($0, $4)) ": detail/ is private"; bad = 1 }
  }
  $2 != $3 && !(($2, $3) in allowed) { print "check-includes: " substr($0, index($0, $4)) ": not in the table of doc/architecture.md for " $2; bad = 1 }
  END { exit bad }'

sed -nE 's/^\| `([^`]+)\/` \| `([^`|]*)` \| .*$/\1 \2/p' doc/architecture.md | while read -r folder namespace; do
  for header in "$folder"/*.h "$folder"/detail/*.h; do
    [ -e "$header" ] || continue
    awk -v expected="$namespace" -v header="$header" '
      /^namespace [a-z0-9_:]+ \{$/ { opened = $2; next }
      opened && /^(class|struct|enum class) [A-Za-z]+;$/ { next }
      opened && /^\}/ { opened = ""; next }
      opened { found = opened; exit }
      END { if (found && index(found "::", expected "::") != 1) {
              print "check-includes: " header " declares " found ", but doc/architecture.md has " expected; exit 1 } }' "$header"
  done
done
