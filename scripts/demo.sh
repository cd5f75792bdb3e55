#!/usr/bin/env bash
# Runs the training pipeline on the sample in data/: Geant4 showers → trained model → report.
# Works on a fresh Debian 12, as root or with sudo; safe to repeat. The results are in demo-output/.
set -euo pipefail
cd "$(dirname "$0")/.."
start=$SECONDS

echo "== set-up"
scripts/setup.sh build
echo "== build (build/release)"
scripts/build.sh release -DCALOPIPE_TESTS=OFF -- calopipe
echo "== run"
build/release/bin/calopipe run --config data/demo.yaml --out demo-output

seconds=$((SECONDS - start))
echo
echo "Done in $((seconds / 60)) min $((seconds % 60)) s. Open this report in a browser:"
echo "  $(pwd)/demo-output/report.html"
