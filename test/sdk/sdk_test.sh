#!/usr/bin/env bash
# Installs the SDK from a build folder into an empty prefix, builds examples/kfp-hello on it and runs it: by hand, and
# as the launcher of Kubeflow Pipelines does. usage: sdk_test.sh BUILD_FOLDER COMPILER [SANITIZERS]
set -euo pipefail
build=$1 compiler=$2 sanitize=${3:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "sdk: $*" >&2; exit 1; }
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$*"; }; }

# The SDK alone needs neither LibTorch nor HDF5 nor npm, and has nothing of calorimeters in it.
quietly cmake -S . -B "$work/alone" -G Ninja -DCALOPIPE_ONLY_KFP=ON -DCALOPIPE_TESTS=OFF -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_DISABLE_FIND_PACKAGE_Torch=ON -DCMAKE_DISABLE_FIND_PACKAGE_HDF5=ON
ninja -C "$work/alone" -t targets all >"$work/targets"
grep -q "libkfp_ir.a:" "$work/targets" || fail "the SDK alone does not build kfp_ir"
! grep -q "calo/" "$work/targets" || fail "the SDK alone builds calo"

quietly cmake --install "$build" --component kfp --prefix "$work/prefix"
! grep -rq "$PWD" "$work/prefix" --include=*.cmake || fail "the package names folders of the build"
flags=${sanitize:+-fsanitize=$sanitize}
quietly cmake -S examples/kfp-hello -B "$work/hello" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" \
  -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror -Wno-missing-field-initializers $flags"
quietly cmake --build "$work/hello"
hello=$work/hello/kfp-hello

# By hand: the SDK's command line, checks and outputs.
printf 'One fish, two fish.\nRed Fish; bl\xc3\xbce fish!\n' >"$work/text.txt"
"$hello" word-count --text "$work/text.txt" --shortest 4 --out "$work/counts.json" --words-path "$work/words" >"$work/result"
[ "$(cat "$work/words")" = 5 ] || fail "words: $(cat "$work/words")"
grep -q '"fish": 4' "$work/counts.json" || fail "$(cat "$work/counts.json")"
grep -q '"different": 2' "$work/result" || fail "$(cat "$work/result")"
code=0
"$hello" word-count --text "$work/text.txt" --shortest 0 --out "$work/no.json" 2>"$work/error" || code=$?
[ $code -eq 2 ] && grep -q "shortest" "$work/error" || fail "exit code $code, $(cat "$work/error")"
[ ! -e "$work/no.json" ] || fail "output in spite of an error"

# A pipeline: shown, checked, run.
"$hello" check examples/kfp-hello/count.yaml >"$work/shown"
grep -q "word-count" "$work/shown" || fail "$(cat "$work/shown")"
sed 's/producerTask: importer/producerTask: importers/' examples/kfp-hello/count.yaml >"$work/broken.yaml"
code=0
"$hello" check "$work/broken.yaml" >"$work/shown" || code=$?
[ $code -eq 3 ] && grep -q "importers" "$work/shown" || fail "exit code $code, $(cat "$work/shown")"
python=${CALOPIPE_PYTHON:-python3}
printf '{"where": "%s"}' "$work/text.txt" >"$work/parameters.json"
"$python" test/kfp/launcher.py examples/kfp-hello/count.yaml --work "$work/run" --local-root "$work/artifacts" \
  --parameters "$work/parameters.json" --program "kfp-hello=$hello" >"$work/run.json" || fail "$(cat "$work/run.json")"
grep -q '"words": 5' "$work/run.json" && grep -q '"different": 2' "$work/run.json" || fail "$(cat "$work/run.json")"

# The Python SDK takes the pipeline, too.
if "$python" -c 'import kfp' 2>/dev/null; then
  quietly "$python" -c 'import sys; from kfp import components; components.load_component_from_file(sys.argv[1])' \
    examples/kfp-hello/count.yaml
else
  echo "sdk: no Python SDK here: not loaded by it"
fi
