#!/usr/bin/env bash
# Installs the independent peers of the tests: Python packages in a virtual environment. calopipe itself needs no Python.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=build/test-venv
if ! cat test/requirements*.txt | cmp -s - "$venv/installed.txt"; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r test/requirements.txt
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r test/requirements-alone.txt
  cat test/requirements*.txt >"$venv/installed.txt"
fi
