#!/usr/bin/env bash
# Builds the inference library for 64-bit ARM and runs its tests under QEMU (Debian 12, as root or with sudo).
# The peers of the tests (onnxruntime) run on this machine's processor.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh arm
scripts/test-peers.sh
scripts/build.sh arm -DCALOPIPE_TESTS=ON
export CALOPIPE_PYTHON=$PWD/build/test-venv/bin/python
# Left out: a test that starts its program once more, which QEMU does only for a kernel that knows it.
ctest --preset arm -j "$(nproc)" -E InstructionSet.IsNoBetterThanTheEnvironmentSays "$@"
