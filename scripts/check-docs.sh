#!/usr/bin/env bash
# Checks that the reference pages in doc/components match the code.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf build/reference
build/release/bin/calopipe docs --out build/reference
diff -r build/reference doc/components || {
  echo "doc/components is out of date: build/release/bin/calopipe docs --out doc/components" >&2
  exit 1
}
