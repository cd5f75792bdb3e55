#!/usr/bin/env bash
# Builds the benchmarks and runs them: reading, training, generation, inference, compiling pipelines and running them here, each
# beside its peer and the machine's limit.
# Fresh Debian 12, as root or with sudo. For figures worth keeping, let nothing else run.
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
for name in read stream features train generate infer conv compile local; do
  arguments=()
  if [[ $name == infer ]]; then arguments=("$folder/siw-lowgran.onnx"); fi
  "build/release/bin/${name}_bench" "${arguments[@]}"
done
