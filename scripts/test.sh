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
ctest --preset "$preset" -j "$(nproc)" --output-junit tests.xml "$@"
# A machine of CI has all that the tests need, but for what test/may-skip.txt names.
[ -z "${CI:-}" ] || scripts/check-skips.sh "build/$preset/tests.xml"
