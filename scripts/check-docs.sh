#!/usr/bin/env bash
# The reference pages in doc/components must be what the code says.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf build/reference
build/release/bin/calopipe docs --out build/reference
diff -r build/reference doc/components || {
  echo "doc/components is out of date: build/release/bin/calopipe docs --out doc/components" >&2
  exit 1
}
