#!/usr/bin/env bash
# Builds and runs the benchmarks: reading, training, generation, inference, compiling and running pipelines. Each is compared
# with its peer and with the limit of the machine.
# Runs on a fresh Debian 12, as root or with sudo. Run nothing else at the same time if you want to keep the figures.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh build
scripts/setup.sh test
scripts/test-peers.sh
scripts/build.sh release -DCALOPIPE_BENCHMARKS=ON -- benchmarks calopipe
export CALOPIPE_PYTHON=$PWD/build/test-venv/bin/python
echo "load: $(cut -d' ' -f1-3 /proc/loadavg)"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
build/release/bin/calopipe convert --model siw-lowgran --out "$folder/siw-lowgran.onnx"
for name in read stream features train generate infer cascade conv compile local client; do
  arguments=()
  if [[ $name == infer ]]; then arguments=("$folder/siw-lowgran.onnx"); fi
  "build/release/bin/${name}_bench" "${arguments[@]}"
done
"$CALOPIPE_PYTHON" test/storage/with_server.py 1000 build/release/bin/storage_bench
