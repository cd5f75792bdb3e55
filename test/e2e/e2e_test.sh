#!/usr/bin/env bash
# What users do, with the program itself: the whole pipeline, the commands one by one, bad input, interruption.
# usage: e2e_test.sh PATH-OF-CALOPIPE NODE_MODULES   (from the source root)
set -uo pipefail
calopipe=$1 modules=$2
. test/support/program_checks.sh
absent() { if [ -e "$1" ]; then echo "FAILED: $1 was left behind"; failures=$((failures + 1)); fi; }
same() { if ! cmp -s "$1" "$2"; then echo "FAILED: $1 and $2 differ"; failures=$((failures + 1)); fi; }

# The pipeline in one, and what it leaves.
check "run" 0 "report.html" "$calopipe" run -q --config data/demo.yaml --set train.epochs=2 --out "$work/run"
for file in configuration.json prepared/train.h5 prepared/report.md model/model.json model/weights.h5 training.json \
            logs/metrics.jsonl generated.h5 generation.json metrics.json classification.json report.html optimised.onnx model-card.md; do
  [ -s "$work/run/$file" ] || { echo "FAILED: run left no $file"; failures=$((failures + 1)); }
done
check "metrics" 0 '"response_largest_deviation"' cat "$work/run/metrics.json"
check "what showers cost" 0 '"speed_up"' cat "$work/run/metrics.json"
check "classification" 0 '"falsePositiveRate"' cat "$work/run/classification.json"

# The same again is taken from the cache; a task that is forced, and those behind it, are run.
check "cached" 0 "report.html" "$calopipe" run --config data/demo.yaml --set train.epochs=2 --out "$work/again"
same "$work/run/metrics.json" "$work/again/metrics.json"
check "runs list" 0 "training +SUCCEEDED" "$calopipe" runs list
check "runs show" 0 "validate +CACHED" "$calopipe" runs show latest
check "runs compare" 0 "" "$calopipe" runs compare $("$calopipe" runs list --json | grep -o '"id": "[^"]*' | cut -c8-)
check "runs logs" 0 "model:" "$calopipe" runs logs "$("$calopipe" runs list --json | grep -o '"id": "[^"]*' | cut -c8- | tail -n 1)" train

# Killed in the middle of the training, and resumed: what was done is not run again.
"$calopipe" run -q --threads 1 --config data/demo.yaml --set train.epochs=3 --set generate.seed=3 --out "$work/killed" 2>/dev/null & pid=$!
for _ in $(seq 200); do
  "$calopipe" runs show latest 2>/dev/null | grep -E "train +RUNNING" >/dev/null && break; sleep 0.1
done
sleep 2; kill -KILL $pid; wait $pid 2>/dev/null
absent "$work/killed/model"
check "killed" 0 "CANCELED" "$calopipe" runs list --limit 1
check "resume a run" 0 "report.html" "$calopipe" runs resume latest
[ -s "$work/killed/report.html" ] || { echo "FAILED: a resumed run left no report"; failures=$((failures + 1)); }

# One by one.
check "inspect" 0 "2100" "$calopipe" inspect -q data/mlfastsim
check "inspect --json" 0 '"num|"showers": 2100' "$calopipe" inspect -q data/mlfastsim --json
for layout in mlfastsim par04 calochallenge calopipe; do
  check "generate $layout" 0 "showers" "$calopipe" generate -q --model "$work/run/model" --geometry SiW --energy-gev 64 \
    --angle-deg 90 --events 40 --layout $layout --out "$work/$layout.h5"
  check "inspect generated $layout" 0 "$layout" "$calopipe" inspect -q "$work/$layout.h5" --geometry SiW
done
check "validate" 0 "report" "$calopipe" validate -q --full "$work/run/prepared/holdout.h5" --fast "$work/run/generated.h5" --out "$work/validation"

check "report in a browser" 0 "as expected" node test/web/report_test.mjs "$work/validation/report.html" "$modules"
check "large report in a browser" 0 "as expected" node test/web/large_report_test.mjs "$(dirname "$modules")/dist/report.html" "$modules"
check "classifiers of cells" 0 "report" "$calopipe" validate -q --full "$work/run/prepared" --fast "$work/run/generated.h5" \
  --classifiers voxels,cnn --classifier-trainings 1 --classifier-epochs 2 --label networks --out "$work/networks"
check "no performance" 3 "performance FILE" "$calopipe" validate -q --full "$work/run/prepared" --fast "$work/run/generated.h5" \
  --performance README.md --out "$work/none"
check "unknown classifier" 2 "one of features, trees" "$calopipe" validate -q --full "$work/run/prepared" --fast "$work/run/generated.h5" \
  --classifiers oracle --out "$work/none"
check "compare" 0 "\| score \| floor \| validation \| networks \|" "$calopipe" compare "$work/validation" "$work/networks" --out "$work/comparison"
check "comparison in a browser" 0 "as expected" node test/web/report_test.mjs "$work/comparison/report.html" "$modules"
check "compare with nothing" 3 "plots.json" "$calopipe" compare "$work/validation" "$work/run/model" --out "$work/none"
check "pictures" 0 "response.png" "$calopipe" pictures "$work/validation/report.html" --png "$work/pictures" --pdf "$work/pictures/all.pdf" \
  --figures response,longitudinal_profile
check "PNG" 0 "PNG" bash -c "head -c 4 '$work/pictures/response.png' | tail -c 3"
check "PDF" 0 "%PDF" head -c 4 "$work/pictures/all.pdf"
check "pictures that are not there" 2 "no figure called nosuch" "$calopipe" pictures "$work/validation/report.html" --png "$work/pictures" \
  --figures response,nosuch
check "pictures of no report" 3 "is not a report" "$calopipe" pictures README.md --pdf "$work/none.pdf"

# The other architecture, and what goes on from its model folder.
check "description of a VAE" 0 "description" "$calopipe" model-parameters -q --architecture vae --epochs 2 --out "$work/vae.json"
check "train a VAE" 0 "model" "$calopipe" train -q --prepared "$work/run/prepared" --description "$work/vae.json" --out "$work/vae"
check "generate by a VAE" 0 "showers" "$calopipe" generate -q --model "$work/vae/model" --like "$work/run/prepared" \
  --layout calopipe --out "$work/vae.h5"
check "validate a VAE" 0 "report" "$calopipe" validate -q --full "$work/run/prepared" --fast "$work/vae.h5" --out "$work/vae-validation"
check "a VAE as ONNX" 0 "16 of 16 showers agree with the model" "$calopipe" convert --model "$work/vae/model" --out "$work/vae.onnx"
check "benchmark a VAE beside LibTorch" 0 "LibTorch" "$calopipe" benchmark "$work/vae.onnx" --against libtorch --model "$work/vae/model" \
  --precisions fp32 --batch-sizes 1 --seconds 0.01 --thread-counts 1
check "benchmark a cascade beside LibTorch" 3 "does not run in LibTorch" "$calopipe" benchmark -q "$work/run/model.onnx" \
  --against libtorch --model "$work/run/model"
check "generate by a cascade's ONNX file" 0 "showers" "$calopipe" generate -q --model "$work/run/model.onnx" --like "$work/run/prepared" \
  --layout calopipe --out "$work/from-onnx.h5"

# Models that come with calopipe, by name.
check "a model by its name" 0 "showers" "$calopipe" generate -q --model siw-lowgran --energy-gev 10 --events 20 --layout calopipe --out "$work/named.h5"
check "what it has made" 0 "9 x 16 x 45" "$calopipe" inspect -q "$work/named.h5"
check "another model by its name" 0 "showers" "$calopipe" generate -q --model par04 --geometry SciPb --energy-gev 10 --angle-deg 70 --events 5 --out "$work/named-2.h5"
check "its mesh is that of the geometry" 0 "4 x 5.6 mm" "$calopipe" inspect -q "$work/named-2.h5"
check "a model of several geometries" 2 "SciPb, SiW" "$calopipe" generate -q --model par04 --energy-gev 10 --events 5 --out "$work/x"
check "energies outside of the training" 0 "outside the training's range of 1 to 64 GeV" "$calopipe" generate -q --model par04 \
  --geometry SiW --energy-gev 100 --events 2 --out "$work/outside.h5"
check "no model by this name" 3 "siw-lowgran" "$calopipe" generate --model siw-lowgrain --energy-gev 10 --out "$work/x"

# Models that leave.
for contract in plain par04-vae par04-calodit; do
  check "convert $contract" 0 "within" "$calopipe" convert --model "$work/run/model" --contract $contract --out "$work/$contract.onnx"
done
check "convert with a macro" 0 "within" "$calopipe" convert --model "$work/run/model" --contract par04-vae --out "$work/a.onnx" \
  --par04-macro "$work/par04.mac"
check "macro" 0 "setModelPathName a.onnx" cat "$work/par04.mac"
check "optimise" 0 "optimised" "$calopipe" optimise -q "$work/plain.onnx" --full "$work/run/prepared" --out "$work/optimised"
check "model card" 0 "## Precisions" cat "$work/optimised/model-card.md"
check "generate from a file" 0 "showers" "$calopipe" generate -q --model "$work/optimised/optimised.onnx" --like "$work/run/prepared" \
  --layout calopipe --out "$work/optimised.h5"
check "validate what it made" 0 "report" "$calopipe" validate -q --full "$work/run/prepared" --fast "$work/optimised.h5" --out "$work/validated"
check "benchmark" 0 "batch 4, 1 thread" "$calopipe" benchmark -q "$work/optimised/optimised.onnx" --batch-sizes 1,4 --thread-counts 1 \
  --seconds 0.01 --report "$work/benchmark.html"
check "benchmark page in a browser" 0 "as expected" node test/web/benchmark_test.mjs "$work/benchmark.html" "$modules"
check "benchmark against nothing known" 2 "onnxruntime, libtorch" "$calopipe" benchmark -q "$work/plain.onnx" --against tensorflow
check "convert no model" 3 "is not a model" "$calopipe" convert -q --model "$work" --out "$work/none.onnx"
check "convert an unknown geometry" 2 "known: " "$calopipe" convert -q --model "$work/run/model" --contract par04-vae --geometry Mars \
  --out "$work/none.onnx"
absent "$work/none.onnx"

# Interrupted and resumed training ends in the same weights.
cat > "$work/model.yaml" <<YAML
epochs: 3
cascade_width: 16
YAML
"$calopipe" model-parameters -q --parameters "$work/model.yaml" --out "$work/description.json" >/dev/null
train=("$calopipe" train -q --threads 1 --prepared "$work/run/prepared" --description "$work/description.json")
"${train[@]}" --checkpoints "$work/ckpt" --out "$work/broken" >/dev/null 2>"$work/stderr" & pid=$!
sleep 4; kill -TERM $pid; wait $pid; status=$?
if [ $status -ne 130 ]; then echo "FAILED: an interrupted training exits with $status"; cat "$work/stderr"; failures=$((failures + 1)); fi
absent "$work/broken/model"
check "resume" 0 "model" "${train[@]}" --checkpoints "$work/ckpt" --resume --out "$work/broken"
check "unbroken" 0 "model" "${train[@]}" --out "$work/unbroken"
same "$work/broken/model/weights.h5" "$work/unbroken/model/weights.h5"

# Nonsense ends in one clear message, and leaves nothing.
check "no command" 2 "subcommand" "$calopipe"
check "unknown command" 2 "did you mean train" "$calopipe" trian
check "unknown option" 2 "no such option" "$calopipe" generate --nonsense 1
check "misspelled option behind the required ones" 2 "did you mean --energy-gev" "$calopipe" generate --model m --energy 64 --out "$work/x"
check "misspelled command of a command" 2 "did you mean show" "$calopipe" runs shwo
check "unknown parameter" 2 "did you mean .epochs" "$calopipe" run --set model-parameters.epohcs=2 --out "$work/x"
check "unknown step" 2 "did you mean .train" "$calopipe" run --set trian.epochs=2 --out "$work/x"
check "out of range" 2 "lr: cannot be" "$calopipe" model-parameters --lr -1 --out "$work/x"
check "no data" 3 "does not exist" "$calopipe" run --set input-parameters.data=/nonexistent --out "$work/x2"
check "not HDF5" 3 "HDF5" "$calopipe" inspect README.md
check "no model" 3 "model.json" "$calopipe" generate --model data --energy-gev 1 --out "$work/x"
check "unknown geometry" 2 "ODD" "$calopipe" generate --model "$work/run/model" --geometry ODD --energy-gev 1 --out "$work/x"
check "no such device" 4 "CUDA" "$calopipe" train --prepared "$work/run/prepared" --description "$work/vae.json" --device cuda --out "$work/x"
check "no device for a cascade" 4 "only be trained on the CPU" "$calopipe" train --prepared "$work/run/prepared" --device cuda --out "$work/x"
check "unwritable" 4 "write|created|made" "$calopipe" generate --model "$work/run/model" --energy-gev 1 --out /proc/x/y.h5
absent "$work/x"
# A full disk, as a limit on the size of files: what HDF5 sees is the same kind of error.
full_disk() { (ulimit -c 0; ulimit -f 200; trap "" XFSZ; "$@"); }
check "full disk, generate" 4 "disk full" full_disk "$calopipe" generate -q --model "$work/run/model" --energy-gev 1 \
  --events 500 --out "$work/full/y.h5"
absent "$work/full/y.h5"
check "full disk, preprocess" 4 "disk full" full_disk "$calopipe" preprocess -q --showers data/mlfastsim --out "$work/full/p"
absent "$work/full/p"
[ -z "$(find "$work/full" -name '*partial*')" ] || { echo "FAILED: partial files were left"; failures=$((failures + 1)); }

# 1.9 GB of cells are processed in less than 1 GiB: streaming, and sparse in memory.
within_1_gib() {
  local pid peak=0 now
  "$@" & pid=$!
  while now=$(awk '/VmHWM/{print $2}' "/proc/$pid/status" 2>/dev/null) && [ -n "$now" ]; do peak=$now; sleep 0.02; done
  wait $pid && [ "$peak" -gt 0 ] && [ "$peak" -lt 1048576 ] && echo "within 1 GiB" || echo "peak: $peak kB"
}
check "large file" 0 "" "$calopipe" generate -q --model "$work/run/model" --geometry SiW --energy-gev 1 --events 12000 \
  --threshold-mev 1 --layout par04 --out "$work/large.h5"
check "large file, inspect" 0 "within 1 GiB" within_1_gib "$calopipe" inspect -q "$work/large.h5"
check "large file, preprocess" 0 "within 1 GiB" within_1_gib "$calopipe" preprocess -q --showers "$work/large.h5" \
  --max-bad-fraction 1 --max-dropped-fraction 1 --out "$work/large"
check "large file, validate" 0 "within 1 GiB" within_1_gib "$calopipe" validate -q --full "$work/large.h5" \
  --fast "$work/large.h5" --classifier-trainings 1 --classifier-epochs 2 --out "$work/large-validation"

[ $failures -eq 0 ] && echo "e2e: all as expected"
exit $((failures > 0))
