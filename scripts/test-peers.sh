#!/usr/bin/env bash
# The independent peers of the tests: Python packages in a virtual environment, npm packages of the browser
# test. The product itself needs neither.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=build/test-venv
if ! cmp -s test/requirements.txt "$venv/installed.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r test/requirements.txt
  cp test/requirements.txt "$venv/installed.txt"
fi
if [ -f test/web/package-lock.json ] && ! cmp -s test/web/package-lock.json build/test-web/package-lock.json; then
  rm -rf build/test-web && mkdir -p build/test-web
  cp test/web/package.json test/web/package-lock.json build/test-web/
  (cd build/test-web && npm ci --silent --no-audit --no-fund --ignore-scripts)
fi
