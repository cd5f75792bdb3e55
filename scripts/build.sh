#!/usr/bin/env bash
# Configures and builds one preset. Usage: build.sh PRESET [CMake options …] [-- targets …]
# In a new folder it compiles several sources at once (CALOPIPE_UNITY), which takes a third of the time; the folder keeps that.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1; shift
options=()
while [ $# -gt 0 ] && [ "$1" != "--" ]; do options+=("$1"); shift; done
[ $# -gt 0 ] && shift
[ -e "build/$preset/CMakeCache.txt" ] || options=(-DCALOPIPE_UNITY=ON "${options[@]}")
log=build/$preset-configure.log
mkdir -p build
if ! cmake --preset "$preset" "${options[@]}" >"$log" 2>&1; then cat "$log" >&2; exit 1; fi
cmake --build --preset "$preset" ${1+--target "$@"}
