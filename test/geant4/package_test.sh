#!/usr/bin/env bash
# Installs the packages calopipe-infer and calopipe-geant4 into an empty prefix, builds a Geant4 application on them and
# runs it on a model. usage: package_test.sh BUILD_FOLDER CXX_COMPILER MODEL_WRITER GEANT4_CMAKE_FOLDER
set -euo pipefail
build=$1 cxx=$2 writer=$3 geant4=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "geant4 package: $*" >&2; exit 1; }
quietly() { "$@" >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; fail "$*"; }; }

for component in infer geant4; do quietly cmake --install "$build" --component $component --prefix "$work/prefix"; done
! grep -rq "$PWD" "$work/prefix" --include=*.cmake || fail "the package names folders of the build"
quietly cmake -S test/geant4_package -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DGeant4_DIR="$geant4" \
  -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_CXX_FLAGS="-Wall -Wextra"
quietly cmake --build "$work/build"
"$writer" "$work/model.onnx"
cat >"$work/run.mac" <<MAC
/run/initialize
/calopipe/model $work/model.onnx
/calopipe/geometry SiW
/run/beamOn 3
MAC
# No data files are read, but Geant4's kernel asks for their folders.
mkdir "$work/data" && touch "$work/data/ENSDFSTATE.dat"
for variable in G4NEUTRONHPDATA G4LEDATA G4LEVELGAMMADATA G4RADIOACTIVEDATA G4PARTICLEXSDATA G4PIIDATA G4REALSURFACEDATA \
                G4SAIDXSDATA G4ABLADATA G4INCLDATA G4ENSDFSTATEDATA G4CHANNELINGDATA; do export $variable="$work/data"; done
export LD_LIBRARY_PATH=$geant4/../..${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}  # as geant4.sh does
"$work/build/consumer" "$work/run.mac" >"$work/out" 2>&1 || { tail -n 20 "$work/out" >&2; fail "the application does not run"; }
[ "$(grep -cE '^event [0-2]: [1-9][0-9]* hits, [1-9][0-9]*\.' "$work/out")" -eq 3 ] || fail "$(grep event "$work/out"; tail -n 5 "$work/out")"
[ "$(grep '^event' "$work/out" | cut -d: -f2 | sort -u | wc -l)" -eq 3 ] || fail "events are alike: $(grep '^event' "$work/out")"
