#!/usr/bin/env bash
# Installs packages, builds, and runs all tests. Works on a fresh Debian 12, as root or with sudo; safe to repeat.
# Usage: test.sh [PRESET] [ctest arguments …]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-release}; [ $# -gt 0 ] && shift

scripts/setup.sh build
scripts/setup.sh test
scripts/test-peers.sh
scripts/build.sh "$preset" -DCALOPIPE_TESTS=ON
export CALOPIPE_PYTHON=$PWD/build/test-venv/bin/python
# One more than there are processors, since some tests wait for servers.
ctest --preset "$preset" -j "$(($(nproc) + 1))" --output-junit tests.xml "$@"
# A CI machine has everything that the tests need, except for the tests in test/may-skip.txt.
[ -z "${CI:-}" ] || scripts/check-skips.sh "build/$preset/tests.xml"
