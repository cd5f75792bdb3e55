#!/usr/bin/env bash
# Checks that every folder includes only what the table in doc/architecture.md allows: itself, the folders named there,
# and the folders that those may include.
set -euo pipefail
cd "$(dirname "$0")/.."
{
  sed -nE 's/^\| `(src\/)?([^`]+)\/` \| .* \| ([^|]*) \|$/may \2 \3/p' doc/architecture.md
  git ls-files 'src/*.h' 'src/*.cc' 'app/*.h' 'app/*.cc' 'geant4/*.h' 'geant4/*.cc' |
    xargs grep -oE '^#include "[^"]+/[^/"]+"' |
    sed -E 's/^(src\/)?([^:]+)\/[^/:]+:#include "(.*)\/[^/]*"$/has \2 \3 &/'
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
  $2 != $3 && !(($2, $3) in allowed) { print "check-includes: " substr($0, index($0, $4)) ": not in the table of doc/architecture.md for " $2; bad = 1 }
  END { exit bad }'
