#!/usr/bin/env bash
# Builds the pages and the API reference as one site, build/site/index.html. Fails on every warning of Doxygen: a link that
# leads nowhere, a parameter that is not there.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf build/site
mkdir -p build/site
doxygen doc/Doxyfile 2>build/site-warnings.txt
if [ -s build/site-warnings.txt ]; then
  cat build/site-warnings.txt >&2
  exit 1
fi
echo "site: build/site/index.html"
