#!/usr/bin/env bash
# Fuzzes the readers of YAML, compiled pipelines and conditions with libFuzzer. What breaks them is left in build/fuzz.
# usage: fuzz.sh [SECONDS] [libFuzzer options, or files to run once …]
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}; [ $# -gt 0 ] && shift
scripts/setup.sh build
scripts/setup.sh lint
scripts/build.sh fuzz -- kfp_fuzz

work=build/fuzz
goldens=${CALOPIPE_KFP_GOLDENS:-../shared/kfp-goldens}
seeds=$work/seeds
rm -rf "$seeds" && mkdir -p "$seeds" "$work/corpus"
cp test/fuzz/seeds/* test/kfp/ir/*.yaml "$seeds"
for file in "$goldens"/*.yaml; do
  [ ! -f "$file" ] || cp "$file" "$seeds"
done
# Conditions and selectors as they stand in pipelines.
grep -hoE "(condition|parameterExpressionSelector): .*" "$seeds"/*.yaml |
  sed -E "s/^[a-zA-Z]+: //; s/^'(.*)'\$/\1/; s/''/'/g" | sort -u | split -l 1 -a 3 - "$seeds/condition-"

export UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=allocator_may_return_null=0:detect_container_overflow=0
"$work/bin/kfp_fuzz" -max_total_time="$seconds" -max_len=20000 -timeout=20 -rss_limit_mb=3000 -dict=test/fuzz/kfp.dict \
  -artifact_prefix="$work/" -print_final_stats=1 -verbosity=0 "$@" "$work/corpus" "$seeds" 2>"$work/log" ||
  { tail -n 80 "$work/log" >&2; echo "fuzz: what breaks it: $(ls -t "$work"/{crash,timeout,oom,leak}-* 2>/dev/null | head -1)" >&2; exit 1; }
echo "fuzz: $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log") inputs in $seconds s, all refused or read back"
