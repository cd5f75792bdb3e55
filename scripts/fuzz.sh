#!/usr/bin/env bash
# Fuzzes the readers of YAML, compiled pipelines and conditions, of ONNX, and of HDF5, with libFuzzer. Inputs that break them
# are left in build/fuzz. Usage: fuzz.sh [SECONDS] [libFuzzer options, or files to run once …]
# FUZZERS="kfp onnx hdf5" selects the fuzzers.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}; [ $# -gt 0 ] && shift
scripts/setup.sh build
scripts/setup.sh lint
fuzzers=${FUZZERS:-kfp onnx hdf5}
scripts/build.sh fuzz -- $(printf '%s_fuzz ' $fuzzers) onnx_fuzz_seeds

work=build/fuzz
goldens=${CALOPIPE_KFP_GOLDENS:-../shared/kfp-goldens}
rm -rf "$work/seeds" && mkdir -p "$work"/seeds/{kfp,onnx,hdf5} "$work"/corpus/{kfp,onnx,hdf5}
seeds=$work/seeds/kfp
cp test/fuzz/seeds/* test/kfp/ir/*.yaml "$seeds"
for file in test/kfp/goldens/*.yaml "$goldens"/*.yaml; do
  [ ! -f "$file" ] || cp "$file" "$seeds"
done
# Conditions and selectors from pipelines.
grep -hoE "(condition|parameterExpressionSelector): .*" "$seeds"/*.yaml |
  sed -E "s/^[a-zA-Z]+: //; s/^'(.*)'\$/\1/; s/''/'/g" | sort -u | split -l 1 -a 3 - "$seeds/condition-"

"$work/bin/onnx_fuzz_seeds" "$work/seeds/onnx"
# This fuzzer makes its choices from any bytes.
head -c 4000 "$0" >"$work/seeds/hdf5/text"

export UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=allocator_may_return_null=0:detect_container_overflow=0
# fuzz NAME OPTION…: prints what it has done, or the last lines of its log.
fuzz() {
  local name=$1 words=(); shift
  [ ! -f "test/fuzz/$name.dict" ] || words=(-dict="test/fuzz/$name.dict")
  local options=(-max_total_time="$seconds" -max_len=20000 -timeout=60 -rss_limit_mb=3000 "${words[@]}"
                 -artifact_prefix="$work/" -print_final_stats=1 -verbosity=0 -print_funcs=0)
  if ! "$work/bin/${name}_fuzz" "${options[@]}" "$@" "$work/corpus/$name" "$work/seeds/$name" 2>"$work/$name.log"; then
    tail -n 80 "$work/$name.log" >&2
    echo "fuzz: failing inputs are in $work; repeat with: $work/bin/${name}_fuzz FILE" >&2
    return 1
  fi
  echo "fuzz: $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name.log") inputs in $seconds s, all rejected or read back"
}
# All at the same time.
pids=()
for name in $fuzzers; do
  fuzz "$name" "$@" & pids+=($!)
done
failed=0
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
exit $failed
