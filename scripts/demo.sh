#!/usr/bin/env bash
# The main job on the sample in data/, from nothing installed: Geant4 showers → trained model → report.
# Fresh Debian 12, as root or with sudo; safe to repeat. Results: demo-output/.
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
