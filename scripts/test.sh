#!/usr/bin/env bash
# Builds and runs all tests, from nothing installed. Fresh Debian 12, as root or with sudo; safe to repeat.
# usage: test.sh [PRESET] [ctest arguments …]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}; [ $# -gt 0 ] && shift

scripts/setup.sh build
scripts/setup.sh test
scripts/test-peers.sh
scripts/build.sh "$preset" -DCALOPIPE_TESTS=ON
export CALOPIPE_PYTHON=$PWD/build/test-venv/bin/python
ctest --preset "$preset" -j "$(nproc)" "$@"
