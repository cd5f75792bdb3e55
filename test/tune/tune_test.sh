#!/usr/bin/env bash
# calopipe tune with the program itself: searches, killed workers, early stopping, bad input, the report in a browser.
# usage: tune_test.sh PATH-OF-CALOPIPE NODE_MODULES   (from the source root)
set -uo pipefail
calopipe=$1 modules=$2
. test/support/program_checks.sh
value() { python3 -c "import json,sys; t=json.load(sys.stdin)['trials']; print($1)"; }
expect() { if [ "$2" != "$3" ]; then echo "FAILED: $1: $2, expected $3"; failures=$((failures + 1)); fi; }

# Small trials, of few showers on a small mesh.
check "showers" 0 "showers" "$calopipe" generate -q --model siw-lowgran --energy-gev 5,20 --events 150 --layout calopipe --out "$work/showers.h5"
cat > "$work/config.yaml" <<YAML
input-parameters: {data: $work/showers.h5}
preprocess: {holdout_fraction: 0.3}
model-parameters: {epochs: 2, cascade_width: 8}
validate: {classifiers: [], replicas: 5}
optimise: {precisions: [bf16]}
tune:
  space:
    model-parameters.lr: {range: [1e-4, 1e-1], log: true}
    model-parameters.cascade_width: [8, 16]
    model-parameters.weight_decay: {range: [1e-6, 1e-2], log: true, if: {model-parameters.cascade_width: 16}}
  objectives: [training.json:validation_loss]
  seed: 3
YAML
tune=("$calopipe" tune -q --space "$work/config.yaml")
longer=(--set model-parameters.epochs=40)  # so that a worker is killed inside of a trial

check "search" 0 "trial [0-9]+: .*calopipe run --set|calopipe run --set" "${tune[@]}" --study "$work/a" --trials 4 --parallel 2
check "show" 0 "4 trials: 4 done" "$calopipe" tune show "$work/a"
check "best" 0 "model-parameters.lr=" "$calopipe" tune best "$work/a"
expect "each trial has its run" "$("$calopipe" tune show "$work/a" --json | value "len({one['run'] for one in t})")" 4
check "a study is not overwritten" 2 "exists already" "${tune[@]}" --study "$work/a" --trials 4
check "more trials" 0 "calopipe run" "$calopipe" tune -q --study "$work/a" --trials 5 --resume
check "more trials were made" 0 "5 trials: 5 done" "$calopipe" tune show "$work/a"
check "the trial that is best is that of its settings" 0 "report.html" "$calopipe" run -q --config "$work/config.yaml" --out "$work/best" \
  $("$calopipe" tune best "$work/a" | sed -n 's/^calopipe run//p')
expect "the same number again" "$(python3 -c "import json; print(json.load(open('$work/best/training.json'))['validation_loss'])")" \
  "$("$calopipe" tune show "$work/a" --json | value "min(one['values'][0] for one in t)")"

# With one worker, the same seed gives the same trials.
check "once" 0 "" "${tune[@]}" --study "$work/b" --trials 2 --algorithm random
check "twice" 0 "" "${tune[@]}" --study "$work/c" --trials 2 --algorithm random
expect "the same trials" "$("$calopipe" tune show "$work/b" --json | value "[(one['parameters'], one['values']) for one in t]")" \
  "$("$calopipe" tune show "$work/c" --json | value "[(one['parameters'], one['values']) for one in t]")"

# A worker is killed inside of a trial; another one joins and does everything that is left, and its trial, too.
"${tune[@]}" --study "$work/d" --trials 4 --seed 8 --no-cache "${longer[@]}" >/dev/null 2>&1 & pid=$!
for _ in $(seq 600); do
  "$calopipe" tune show "$work/d" 2>/dev/null | grep -qE "1 done, *|done.*running|running.*done" && break; sleep 0.1
done
kill -KILL $pid; wait $pid 2>/dev/null
killed=$("$calopipe" tune show "$work/d" --json | value "[one['number'] for one in t if one['state'] == 'running']")
check "resume" 0 "calopipe run" "$calopipe" tune -q --study "$work/d" --trials 4 --resume
expect "no trial is lost" "$("$calopipe" tune show "$work/d" --json | value "[one['state'] for one in t]")" "['done', 'done', 'done', 'done']"
expect "only the killed one was begun again" "$("$calopipe" tune show "$work/d" --json | value "[one['number'] for one in t if one['attempts'] == 2]")" "$killed"

# Interrupted: the trial waits for the next worker, with its run.
"${tune[@]}" --study "$work/e" --trials 2 --seed 9 --no-cache >/dev/null 2>"$work/stderr" & pid=$!
for _ in $(seq 600); do "$calopipe" tune show "$work/e" 2>/dev/null | grep -q "running" && break; sleep 0.1; done
kill -TERM $pid; wait $pid; expect "interrupted" $? 130
expect "it waits" "$("$calopipe" tune show "$work/e" --json | value "t[0]['state']")" waiting
check "interrupted, then resumed" 0 "calopipe run" "$calopipe" tune -q --study "$work/e" --trials 2 --resume

# The same in PostgreSQL, with the server restarted while a trial runs, and with another worker beside the killed one.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
chmod 755 "$work"
postgres() { test/support/postgres.sh "$1" "$work/postgres" "${@:2}"; }
postgres start "$port"
trap 'postgres kill 2>/dev/null; rm -rf "$work"' EXIT
export PGPASSWORD=s3cret/word
url="postgresql://worker@127.0.0.1:$port/studies"
"${tune[@]}" --study "$url?study=d" --trials 4 --seed 8 --no-cache "${longer[@]}" >/dev/null 2>&1 & pid=$!
for _ in $(seq 600); do "$calopipe" tune show "$url?study=d" 2>/dev/null | grep -q "running" && break; sleep 0.1; done
postgres kill; postgres up
"$calopipe" tune -q --study "$url?study=d" --trials 4 --resume >/dev/null 2>"$work/second" & second=$!
for _ in $(seq 600); do "$calopipe" tune show "$url?study=d" 2>/dev/null | grep -q "1 done" && break; sleep 0.1; done
kill -KILL $pid || failures=$((failures + 1)); wait $pid 2>/dev/null
wait $second; expect "the other worker ends" $? 0
expect "no trial is lost in PostgreSQL" "$("$calopipe" tune show "$url?study=d" --json | value "[one['state'] for one in t]")" "['done', 'done', 'done', 'done']"
check "list" 0 "^d$" "$calopipe" tune list "$url"
check "best in PostgreSQL" 0 "model-parameters.lr=" "$calopipe" tune best "$url?study=d"
postgres sql "$port" studies "UPDATE calopipe_study_d.trials SET worker = 'far-away-1-0', report = '/far/report.html'"
check "whose files are elsewhere" 0 "its files are on far-away: run .*, /far/report.html" "$calopipe" tune best "$url?study=d"
check "the table names the machine" 0 "files on.*far-away|far-away" "$calopipe" tune show "$url?study=d"
check "report from PostgreSQL" 0 "report" "$calopipe" tune report "$url?study=d" --out "$work/d.html"
expect "the report names the machine, without a password" "$(grep -c "are on far-away" "$work/d.html") $(grep -rc "s3cret" "$work/d.html")" "1 0"
check "a wrong password" 4 "refuses the user or the password" env PGPASSWORD=wrong "$calopipe" tune show "$url?study=d"
check "no database" 3 "no such database" "$calopipe" tune show "postgresql://worker@127.0.0.1:$port/nothing?study=d"
check "no study in PostgreSQL" 3 "no such study" "$calopipe" tune show "$url?study=x"
check "a URL without a study" 2 "names no study" "$calopipe" tune show "$url"
expect "libpq is not linked" "$(ldd "$calopipe" | grep -c libpq)" 0
postgres down
check "no server" 4 "cannot be reached" "$calopipe" tune show "$url?study=d"

# Early stopping: of the trials with ASHA, some stop, and those go through their epochs that are best.
sed 's/epochs: 2/epochs: 6/; s/  seed: 3/  seed: 3\n  early_stopping: {kind: asha, first_epoch: 1, factor: 2}/' "$work/config.yaml" > "$work/asha.yaml"
check "ASHA" 0 "calopipe run" "$calopipe" tune -q --space "$work/asha.yaml" --study "$work/f" --trials 5 --algorithm random --set train.memory_mb=16
states=$("$calopipe" tune show "$work/f" --json | value "'stopped' in [one['state'] for one in t] and 'done' in [one['state'] for one in t]")
expect "some trials stop and some are done" "$states" True
expect "a curve has every epoch" "$("$calopipe" tune show "$work/f" --json | value "{tuple(point[0] for point in one['curve']) for one in t if one['state'] == 'done'}")" "{(1, 2, 3, 4, 5, 6)}"

# Two objectives.
check "a Pareto front" 0 "on the Pareto front" "${tune[@]}" --study "$work/g" --trials 2 --objective metrics.json:jsd_response \
  --objective metrics.json:cost/fast/seconds_per_shower

for study in a f g; do
  check "report of $study" 0 "report" "$calopipe" tune report "$work/$study" --out "$work/$study.html"
  check "report of $study in a browser" 0 "as expected" node test/web/tune_test.mjs "$work/$study.html" "$modules"
done

# Repeats: the mean of two seeds, with its error.
sed 's/  seed: 3/  seed: 3\n  repeats: 2/' "$work/config.yaml" > "$work/repeats.yaml"
check "repeats" 0 "±" "$calopipe" tune -q --space "$work/repeats.yaml" --study "$work/i" --trials 2 --set train.seed=5
settings=$("$calopipe" tune show "$work/i" --json | value "' '.join(f'--set {name}={value}' for name, value in t[0]['parameters'].items())")
for seed in 5 6; do
  "$calopipe" run -q --config "$work/config.yaml" $settings --set train.seed=$seed --print loss=training.json:validation_loss 2>/dev/null
done | sed -n 's/^loss=//p' > "$work/losses"
expect "their mean and error" "$("$calopipe" tune show "$work/i" --json | value "[round(t[0]['values'][0], 4), round(t[0]['errors'][0], 4)]")" \
  "$(python3 -c "a, b = map(float, open('$work/losses')); print([round((a + b) / 2, 4), round(abs(a - b) / 2, 4)])")"
sed 's/  seed: 3/  repeats: 2\n  repeat_seed: train.sede/' "$work/config.yaml" > "$work/bad.yaml"
check "a seed that does not exist" 2 'did you mean "seed"' "$calopipe" tune -q --space "$work/bad.yaml" --study "$work/x" --trials 2

# Hyperband: brackets of trials that stop and go on.
sed 's/epochs: 2/epochs: 4/; s/  seed: 3/  seed: 3\n  early_stopping: {kind: hyperband, first_epoch: 1, factor: 2, epochs: 4}/' "$work/config.yaml" > "$work/hyperband.yaml"
check "Hyperband" 0 "calopipe run" "$calopipe" tune -q --space "$work/hyperband.yaml" --study "$work/j" --trials 7 --algorithm random --set train.memory_mb=16
states=$("$calopipe" tune show "$work/j" --json | value "sorted({one['state'] for one in t})")
expect "some trials of Hyperband stop and some are done" "$states" "['done', 'stopped']"
sed 's/, epochs: 4}/}/' "$work/hyperband.yaml" > "$work/bad.yaml"
check "Hyperband without a number of epochs" 2 "early_stopping.epochs" "$calopipe" tune -q --space "$work/bad.yaml" --study "$work/x" --trials 2

# Katib.
check "Katib" 0 "kind: Push" "$calopipe" tune --space "$work/config.yaml" --trials 6 --target katib --image here/calopipe --out -
check "no context of Kubernetes" 2 "nowhere" "$calopipe" tune --space "$work/config.yaml" --trials 6 --target katib --on nowhere --kubeconfig "$work/config.yaml"
check "a context without Katib" 2 "needs --target katib" "${tune[@]}" --trials 6 --on ''
# The example of the page is read and checked before Katib refuses it.
awk '/^# tune.yaml/ { on = 1 } /^```/ { on = 0 } on' doc/tune.md > "$work/page.yaml"
check "the example of doc/tune.md" 2 "has no asha" "$calopipe" tune --space "$work/page.yaml" --config data/demo.yaml --trials 6 --target katib
# A trial as in its pod, with the environment that the Experiment gives it.
"$calopipe" tune --space "$work/config.yaml" --trials 6 --target katib --out "$work/experiment.yaml" >/dev/null
cat > "$work/pod.py" <<'PYTHON'
import json, os, sys, yaml
container = yaml.safe_load(open(sys.argv[1]))["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
values = {"model-parameters-lr": "0.01", "model-parameters-cascade-width": "8", "model-parameters-weight-decay": "0.005"}
for variable in container["env"]:
    text = variable["value"]
    for name, value in values.items():
        text = text.replace("${trialParameters." + name + "}", value)
    os.environ[variable["name"]] = text
os.environ["KATIB_TRIAL_NAME"] = "study-abc"
os.environ["CALOPIPE_KATIB_DATABASE"] = "127.0.0.1:" + sys.argv[2]
os.execv(sys.argv[3], [sys.argv[3], *container["command"][1:3], "--store", sys.argv[4]])
PYTHON
python=${CALOPIPE_PYTHON:-python3}
database() {  # database OPTION …: starts Katib's DB manager for tests
  rm -f "$work/port"
  "$python" test/tune/katib_database.py "$work/port" "$@" > "$work/reported" 2>/dev/null & database=$!
  for _ in $(seq 300); do [ -e "$work/port" ] && break; sleep 0.1; done
}
pod() { "$python" "$work/pod.py" "$work/experiment.yaml" "$(cat "$work/port")" "$calopipe" "$work/pod"; }
database
check "a trial in its pod" 0 " objective=[0-9.]+$" pod
printed=$(sed -n "s/.* objective=//p" <<<"$(pod 2>/dev/null)")
expect "what Katib's database gets" "$(python3 -c "import json; one = [json.loads(line) for line in open('$work/reported')][-1]; log = one['observationLog']['metricLogs'];
print(one['trialName'], [line['metric'] for line in log])")" "study-abc [{'name': 'objective', 'value': '$printed'}]"
kill $database
database --refuse
check "a database that refuses" 4 "does not take the numbers of study-abc" pod
kill $database
check "a trial without a pod" 2 "CALOPIPE_TRIAL_STUDY is not set" "$calopipe" tune trial --store "$work/pod"
check "what Katib collects" 0 "^objective=[0-9.]+$" "$calopipe" run -q --config "$work/config.yaml" --print objective=training.json:validation_loss
check "a number that no run has" 3 "did you mean" "$calopipe" run -q --config "$work/config.yaml" --print objective=training.json:validation_los

# Bad input.
bad() { sed "$1" "$work/config.yaml" > "$work/bad.yaml"; shift; check "$@" "$calopipe" tune -q --space "$work/bad.yaml" --study "$work/x" --trials 2; }
bad 's/weight_decay:/weight_decai:/' "unknown parameter" 3 'weight_decai is not a parameter .*did you mean "weight_decay"'
bad 's/model-parameters.lr:/model-parameter.lr:/' "unknown component" 3 'did you mean "model-parameters"'
bad 's/1e-4, 1e-1/1e-1, 1e-4/' "empty range" 3 "empty range"
bad 's/training.json:/trainin.json:/' "no component writes the file" 2 'did you mean "training.json"'
bad 's/validation_loss/validation_los/' "no component writes the number" 3 'did you mean "validation_loss"'
rm -f "$work/x"*
bad 's/seed: 3/algorithm: tpo/' "unknown algorithm" 2 'did you mean "tpe"'
bad 's/  seed: 3/  sed: 3/' "unknown field" 3 'seed'
bad 's/holdout_fraction: 0.3/holdout_fraction: 3/' "a wrong value for all trials" 2 "holdout_fraction"
[ -e "$work/x" ] && { echo "FAILED: a study was made in spite of bad input"; failures=$((failures + 1)); }
sed 's#data: .*showers.h5#data: /nowhere#' "$work/config.yaml" > "$work/bad.yaml"
check "all trials fail" 3 "2 trials failed; the first one: .*nowhere" "$calopipe" tune -q --space "$work/bad.yaml" --study "$work/h" --trials 9 --max-failures 2
check "they are recorded" 0 "2 trials: 2 failed" "$calopipe" tune show "$work/h"
check "no study" 3 "no such study" "$calopipe" tune show "$work/none"
check "no number of trials" 2 "--trials: is required" "${tune[@]}" --study "$work/y"

[ $failures -eq 0 ] && echo "tune: as expected"
exit $((failures > 0))
