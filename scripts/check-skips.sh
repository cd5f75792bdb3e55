#!/usr/bin/env bash
# Fails if a test was skipped that test/may-skip.txt does not name. Usage: check-skips.sh JUNIT_FILE
set -euo pipefail
cd "$(dirname "$0")/.."
skipped=$(sed -nE '/<testcase /{N; s/.*<testcase name="([^"]*)".*<skipped.*/\1/p}' "$1" | sort)
refused=$(grep -vxE -f <(sed -E '/^(#|$)/d; s/ +#.*//' test/may-skip.txt) <<<"$skipped" | sed '/^$/d' || true)
if [ -n "$refused" ]; then
  echo "these tests were skipped, but test/may-skip.txt does not name them:" >&2
  echo "$refused" >&2
  exit 1
fi
echo "skipped tests that test/may-skip.txt names: $(sed '/^$/d' <<<"$skipped" | wc -l)"
