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
# Showers beside the project, where there are any (see data/README.md).
if [ -z "${CALOPIPE_SHARED_DATA:-}" ] && [ -d ../shared/data ]; then
  CALOPIPE_SHARED_DATA=$(cd ../shared/data && pwd); export CALOPIPE_SHARED_DATA
fi
ctest --preset "$preset" -j "$(nproc)" "$@"
