#!/usr/bin/env bash
# calopipe train with several processes: the same result, killed processes, restarts, interruptions, mpirun, Kubeflow
# Trainer's variables.
# usage: processes_test.sh PATH-OF-CALOPIPE   (from the source root)
set -uo pipefail
calopipe=$1
. test/support/program_checks.sh
export CALOPIPE_THREADS=1 CALOPIPE_JOIN_SECONDS=60
expect() { if [ "$2" != "$3" ]; then echo "FAILED: $1: $2, expected $3"; failures=$((failures + 1)); fi; }
# The validation losses of all epochs agree to 1e-4.
expect_near() {
  python3 - "$work/$2/logs/metrics.jsonl" "$work/$3/logs/metrics.jsonl" <<'PY' || { echo "FAILED: $1"; failures=$((failures + 1)); }
import json, sys
one, two = ([json.loads(line)["validation_loss"] for line in open(path)] for path in sys.argv[1:])
assert len(one) == len(two) and all(abs(a - b) < 1e-4 * abs(a) for a, b in zip(one, two)), (one, two)
PY
}
same() { cmp -s "$work/$2/model/weights.h5" "$work/$3/model/weights.h5" || { echo "FAILED: $1"; failures=$((failures + 1)); }; }
# kill_rank LAUNCHER RANK SIGNAL: of the processes that this launcher has started
kill_rank() {
  local pid
  for pid in $(pgrep -P "$1"); do
    grep -qzx "RANK=$2" "/proc/$pid/environ" 2>/dev/null && kill "-$3" "$pid" && return 0
  done
  return 1
}
wait_for() { for _ in $(seq 600); do [ -e "$1" ] && return 0; sleep 0.1; done; echo "FAILED: there is no $1"; return 1; }

"$calopipe" generate -q --model siw-lowgran --min-energy-gev 1 --max-energy-gev 20 --events 203 --out "$work/full.h5" >/dev/null || exit 1
"$calopipe" preprocess -q --showers "$work/full.h5" --threshold-mev 0.05 --holdout-fraction 0.2 --out "$work/prepared" >/dev/null || exit 1
echo '{"architecture": "cascade", "cascade_width": 16, "epochs": 3, "save_every": 1}' >"$work/cascade.json"
echo '{"architecture": "cascade", "cascade_width": 16, "epochs": 400, "save_every": 1, "lr_schedule": "constant"}' >"$work/long.json"
echo '{"architecture": "vae", "intermediate_dims": [16, 8], "latent_dim": 4, "epochs": 3, "batch_size": 32}' >"$work/vae.json"
train=("$calopipe" train --prepared "$work/prepared")

# The same result, by one process and by several.
for model in cascade vae; do
  for n in 1 2 3; do
    check "$model by $n" 0 "model: $work/$model$n/model" "${train[@]}" -q --description "$work/$model.json" --processes $n --out "$work/$model$n"
  done
  expect_near "$model: two processes give the losses of one" ${model}1 ${model}2
  expect_near "$model: three processes give the losses of one" ${model}1 ${model}3
  check "$model by 2 again" 0 "" "${train[@]}" -q --description "$work/$model.json" --processes 2 --out "$work/${model}2b"
  same "$model: the same bytes again" ${model}2 ${model}2b
done

# A killed process ends all, and its rank is named by the launcher and by the other one.
"${train[@]}" --description "$work/long.json" --processes 2 --checkpoints "$work/killed" --out "$work/lost" >"$work/lost.log" 2>&1 &
launcher=$!
wait_for "$work/killed/checkpoint.h5" && kill_rank $launcher 1 KILL || { echo "FAILED: nothing to kill"; failures=$((failures + 1)); }
wait $launcher
expect "exit code after a killed process" $? 4
check "the launcher names it" 0 "rank 1 of 2 was ended by signal 9" cat "$work/lost.log"
check "rank 0 names it" 0 "rank 1 on .* is gone" cat "$work/lost.log"
expect "no output" "$(ls "$work/lost" 2>/dev/null)" ""

# Killing rank 0.
"${train[@]}" --description "$work/long.json" --processes 3 --checkpoints "$work/killed0" --out "$work/lost" >"$work/lost0.log" 2>&1 &
launcher=$!
wait_for "$work/killed0/checkpoint.h5" && kill_rank $launcher 0 KILL
wait $launcher
expect "exit code after a killed rank 0" $? 4
check "the launcher names rank 0" 0 "rank 0 of 3 was ended by signal 9" cat "$work/lost0.log"
check "rank 1 names rank 0" 0 "^\[1\] calopipe: rank 0 .* is gone" cat "$work/lost0.log"

# Restarts: the same bytes as without the loss.
echo '{"architecture": "cascade", "cascade_width": 16, "epochs": 12, "save_every": 1}' >"$work/twelve.json"
check "unbroken" 0 "" "${train[@]}" -q --description "$work/twelve.json" --processes 2 --out "$work/unbroken"
"${train[@]}" --description "$work/twelve.json" --processes 2 --restarts 1 --checkpoints "$work/restarted" --out "$work/healed" >"$work/healed.log" 2>&1 &
launcher=$!
wait_for "$work/restarted/checkpoint.h5" && kill_rank $launcher 1 KILL
wait $launcher
expect "exit code after a restart" $? 0
check "the restart is reported" 0 "rank 1 of 2 was ended by signal 9.*start again \(restart 1 of 1\)" cat "$work/healed.log"
check "it continues from the checkpoint" 0 "resuming (after|in) epoch" cat "$work/healed.log"
same "a restart gives the same bytes" unbroken healed

# An interruption is passed on; another number of processes resumes.
"${train[@]}" --description "$work/twelve.json" --processes 2 --checkpoints "$work/stopped" --out "$work/resumed" >"$work/stopped.log" 2>&1 &
launcher=$!
wait_for "$work/stopped/checkpoint.h5" && kill -TERM $launcher
wait $launcher
expect "exit code after SIGTERM" $? 130
check "its state is saved" 0 "its state is saved" cat "$work/stopped.log"
check "resumed by 3" 0 "" "${train[@]}" -q --description "$work/twelve.json" --processes 3 --checkpoints "$work/stopped" --resume --out "$work/resumed"
expect_near "resumed by 3: the losses" unbroken resumed

# An error of all processes has its own exit code.
check "bad input" 3 "rank [0-9] of 2 ended with exit code 3" "$calopipe" train --prepared "$work/prepared" --description "$work/full.h5" \
  --processes 2 --out "$work/bad"

# What the environment says.
check "contradiction" 2 "this process is rank 0 of 2 already" env RANK=0 WORLD_SIZE=2 MASTER_ADDR=localhost "${train[@]}" --processes 2 --out "$work/bad"
check "half of it" 2 "RANK: is set in the environment, but WORLD_SIZE is not" env RANK=0 "${train[@]}" --out "$work/bad"
check "restarts without a checkpoint" 2 "restarts: requires a checkpoint" "${train[@]}" --processes 2 --restarts 1 --out "$work/bad"
check "nobody comes" 4 "of 2 processes, rank 1 has not come" env RANK=0 WORLD_SIZE=2 MASTER_ADDR=localhost MASTER_PORT=14871 \
  CALOPIPE_JOIN_SECONDS=1 "${train[@]}" --out "$work/bad"

# Two pods of Kubeflow Trainer with two processes each.
pod() {
  env PET_NNODES=2 PET_NPROC_PER_NODE=2 PET_NODE_RANK="$1" PET_MASTER_ADDR=localhost PET_MASTER_PORT=14872 "${train[@]}" -q \
    --description "$work/cascade.json" --out "$work/pods$1" 2>&1
}
pod 1 >"$work/pod1.log" &
other=$!
check "the first pod" 0 "model: $work/pods0/model" pod 0
wait $other
expect "exit code of the second pod" $? 0
expect "the second pod writes nothing" "$(ls "$work/pods1" 2>/dev/null)" ""
expect_near "pods: the losses" cascade1 pods0

# Real mpirun of two kinds.
for mpirun in mpirun.openmpi mpirun.mpich; do
  if ! command -v $mpirun >/dev/null; then
    echo "FAILED: there is no $mpirun (scripts/setup.sh test installs it)"; failures=$((failures + 1)); continue
  fi
  [ $mpirun = mpirun.openmpi ] && options=(--allow-run-as-root --oversubscribe) || options=()
  check $mpirun 0 "model: $work/$mpirun/model" $mpirun "${options[@]}" -n 2 "${train[@]}" -q --description "$work/cascade.json" --out "$work/$mpirun"
  expect_near "$mpirun: the losses" cascade1 $mpirun
done

exit $((failures > 0))
