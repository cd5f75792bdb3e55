#!/usr/bin/env bash
# Fails if a test was skipped that test/may-skip.txt does not name. usage: check-skips.sh JUNIT_FILE
set -euo pipefail
cd "$(dirname "$0")/.."
skipped=$(sed -nE '/<testcase /{N; s/.*<testcase name="([^"]*)".*<skipped.*/\1/p}' "$1" | sort)
refused=$(grep -vxE -f <(sed -E '/^(#|$)/d; s/ +#.*//' test/may-skip.txt) <<<"$skipped" | sed '/^$/d' || true)
if [ -n "$refused" ]; then
  echo "these tests were skipped, and test/may-skip.txt does not allow it:" >&2
  echo "$refused" >&2
  exit 1
fi
echo "skipped, as test/may-skip.txt allows: $(sed '/^$/d' <<<"$skipped" | wc -l)"
