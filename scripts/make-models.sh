#!/usr/bin/env bash
# Trains the models in models/ again. Usage: make-models.sh DATA   (a folder as described in models/README.md)
set -euo pipefail
data=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
calopipe=$PWD/build/release/bin/calopipe
work=build/models
mkdir -p "$work"

# train NAME SHOWERS [OPTION …]: trains on four fifths of the showers; the others are for validation.
train() {
  local name=$1 showers=$2; shift 2
  "$calopipe" preprocess --showers "$showers" --holdout-fraction 0.2 --out "$work/$name-prepared"
  "$calopipe" train --prepared "$work/$name-prepared" --checkpoints "$work/$name-checkpoints" --resume "$@" --out "$work/$name"
  "$calopipe" generate --model "$work/$name/model" --like "$work/$name-prepared" --layout calopipe --out "$work/$name.h5"
  "$calopipe" validate --full "$work/$name-prepared" --fast "$work/$name.h5" --label "$name" --out "$work/$name-validation"
  rm -rf "models/$name"
  cp -r "$work/$name/model" "models/$name"
  rm "models/$name/generator.onnx"  # made from the weights
}
train siw-lowgran "$data/calochallenge/siw_lowgran_train.hdf5"
train par04 "$data/mlfastsim" --epochs 16
