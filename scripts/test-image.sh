#!/usr/bin/env bash
# Makes container images twice and tests them: the same digest, size, contents, and components that run in them under runc as
# a random user, without network, with a read-only root. Debian 12, as root. Usage: test-image.sh [IMAGE …], as image.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
images=("$@")
[ ${#images[@]} -gt 0 ] || images=(calopipe calopipe-train)
declare -A largest_mb=([calopipe]=60 [calopipe-train]=250)
random_user=$((20000 + RANDOM))
work=$(mktemp -d "${TMPDIR:-/tmp}/calopipe-image.XXXXXX")
containerd_pid=
passed=0

clean_up() {
  mountpoint -q "$work/root" && umount "$work/root"
  [ -z "$containerd_pid" ] || { kill "$containerd_pid"; wait "$containerd_pid" || true; }
  rm -rf --one-file-system "$work"
}
trap clean_up EXIT

fail() { echo "test-image: $*" >&2; exit 1; }
pass() { passed=$((passed + 1)); echo "ok: $*"; }

scripts/setup.sh image

start_containerd() {
  cat >"$work/containerd.toml" <<END
version = 2
root = "$work/containerd"
state = "$work/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$work/containerd.sock"
END
  containerd --config "$work/containerd.toml" >"$work/containerd.log" 2>&1 &
  containerd_pid=$!
  local tries
  for tries in $(seq 100); do
    ctr --address "$work/containerd.sock" version >/dev/null 2>&1 && return
    sleep 0.1
  done
  cat "$work/containerd.log" >&2
  fail "containerd has not started after 10 s"
}

# in_image ARGUMENT …: runs the image's entrypoint. /data is the repository's, read-only; /out can be written.
in_image() {
  (cd "$work/bundle" && rm -f config.json && runc spec)
  python3 - "$work" "$PWD" "$random_user" "$@" <<'END'
import json, sys
work, source, user, *arguments = sys.argv[1:]
with open(f"{work}/image.json") as file:
    image = json.load(file)["config"]
path = f"{work}/bundle/config.json"
with open(path) as file:
    config = json.load(file)
config["process"].update(terminal=False, args=image["Entrypoint"] + arguments, env=image["Env"], cwd=image["WorkingDir"],
                         user={"uid": int(user), "gid": 0}, capabilities={}, noNewPrivileges=True)
config["root"] = {"path": f"{work}/root", "readonly": True}
bind = lambda folder, at, mode: {"destination": at, "type": "bind", "source": folder, "options": ["rbind", mode]}
config["mounts"] += [{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777", "nosuid", "nodev"]},
                     bind(f"{source}/data", "/data", "ro"), bind(f"{work}/out", "/out", "rw")]
with open(path, "w") as file:
    json.dump(config, file)
END
  runc --root "$work/runc" run --bundle "$work/bundle" "calopipe-test-$$" </dev/null
}

check_digest() {
  local image=$1
  [ "$(cat "$work/first/$image.digest")" = "$(cat "build/images/$image.digest")" ] || fail "$image: two builds differ"
  cmp -s "$work/first/$image.tar" "build/images/$image.tar" || fail "$image: the archives of two builds differ"
  pass "$image: two builds give $(cat "build/images/$image.digest")"
}

check_size() {
  local bytes
  bytes=$(stat -c %s "build/images/$1.tar")
  [ "$bytes" -le $((largest_mb[$1] * 1000000)) ] || fail "$1 has $bytes bytes, more than ${largest_mb[$1]} MB"
  pass "$1 has $((bytes / 1000000)) MB of at most ${largest_mb[$1]}"
}

unpack() {
  local digest
  digest=$(cat "build/images/$1.digest")
  ctr --address "$work/containerd.sock" images import "build/images/$1.tar" >/dev/null
  mkdir -p "$work/root" "$work/bundle"
  ctr --address "$work/containerd.sock" images mount --rw "localhost/$1:$version" "$work/root" >/dev/null
  local config
  config=$(ctr --address "$work/containerd.sock" content get "$digest" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["config"]["digest"])')
  ctr --address "$work/containerd.sock" content get "$config" >"$work/image.json"
  pass "$1: containerd imports and unpacks it"
}

check_contents() {
  local image=$1 root=$work/root found
  found=$(find "$root" -xdev -perm /6000 -type f; find "$root/usr/bin" "$root/usr/sbin" -name '*sh')
  [ -z "$found" ] || fail "$image: shells or programs with the rights of others: $found"
  found=$(find "$root" -xdev -type f -perm -o+w)
  [ -z "$found" ] || fail "$image: everyone may write $found"
  grep -q '^ID=debian' "$root/etc/os-release" || fail "$image: /etc/os-release is not Debian's"
  openssl crl2pkcs7 -nocrl -certfile "$root/etc/ssl/certs/ca-certificates.crt" | openssl pkcs7 -print_certs -noout | grep -q subject ||
    fail "$image: no certificates"
  local package
  for package in "$root"/var/lib/dpkg/status.d/*; do
    [ -s "$root/usr/share/doc/${package##*/}/copyright" ] || fail "$image: no licence of ${package##*/}"
  done
  [ -s "$root/usr/share/doc/calopipe/copyright" ] || fail "$image: no licence of calopipe"
  ! grep -aqF "$PWD/" "$root/usr/bin/calopipe" || fail "$image: the program contains the path of its build"
  build/test-venv/bin/pyspdxtools -i "$root/usr/share/doc/calopipe/sbom.spdx.json" >/dev/null
  python3 - "$root" <<'END'
import json, pathlib, sys
root = pathlib.Path(sys.argv[1])
listed = {package["name"] for package in json.loads((root / "usr/share/doc/calopipe/sbom.spdx.json").read_text())["packages"]}
installed = {file.name for file in (root / "var/lib/dpkg/status.d").iterdir()}
assert installed <= listed, f"not in the SBOM: {installed - listed}"
assert {"jsroot", "three", "libhdf5-dev"} <= listed
assert ("torch" in listed) == (root / "usr/lib/calopipe/libtorch_cpu.so").exists()
END
  pass "$image: Debian's files, licences, certificates and SBOM; no shell"
}

check_runs() {
  local image=$1 source code
  rm -rf "$work/out"
  mkdir -m 777 "$work/out"
  source=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["config"]["Labels"]["org.opencontainers.image.revision"])' <"$work/image.json")
  local start=$EPOCHREALTIME end
  [ "$(in_image --version)" = "$version (source $source)" ] || fail "$image: wrong --version"
  end=$EPOCHREALTIME
  echo "$image: --version took $(((${end/./} - ${start/./}) / 1000)) ms, with runc"
  in_image inspect /data/mlfastsim >"$work/inspected"
  grep -q SiW "$work/inspected" || fail "$image: inspect"
  pass "$image: --version and inspect as user $random_user, with a read-only root"

  local options=(--model siw-lowgran --geometry SiW --energy-gev 64 --events 20 --seed 3 --threads 2 --quiet)
  in_image generate "${options[@]}" --out /out/inside.h5 >/dev/null
  build/release/bin/calopipe generate "${options[@]}" --out "$work/outside.h5" >/dev/null
  cmp "$work/out/inside.h5" "$work/outside.h5" || fail "$image: other showers than outside of the image"
  pass "$image: generate makes the same bytes as outside"

  code=0
  in_image inspect '/data/$(/usr/bin/calopipe --version); /x' 2>"$work/error" >/dev/null || code=$?
  [ "$code" -eq 3 ] && grep -qF '$(/usr/bin/calopipe' "$work/error" || fail "$image: a parameter was changed: code $code"
  pass "$image: parameters reach the program as they are"
}

run_pipeline() {
  local options=()
  [ "$1" != calopipe ] || options=(--set 'validate.classifiers=["trees"]')  # the other default needs LibTorch
  in_image run --set input-parameters.data=/data/mlfastsim --set model-parameters.epochs=1 "${options[@]}" \
    --store /tmp/store --out /out/run --quiet >/dev/null || fail "$1: the pipeline"
  [ -s "$work/out/run/report.html" ] || fail "$1: no report"
  pass "$1: the training pipeline runs"
}

train_vae() {
  local image=$1 code=0
  in_image preprocess --showers /data/mlfastsim --out /out/prepared --quiet >/dev/null
  in_image model-parameters --architecture vae --epochs 1 --out /out/vae.json --quiet >/dev/null
  in_image train --prepared /out/prepared --description /out/vae.json --checkpoints /tmp/checkpoints --out /out/vae --quiet \
    >/dev/null 2>"$work/error" || code=$?
  if [ "$image" = calopipe ]; then
    [ "$code" -eq 4 ] && grep -q calopipe-train "$work/error" || fail "$image: code $code without LibTorch: $(cat "$work/error")"
    pass "$image: training with LibTorch names the image that has it"
  else
    [ "$code" -eq 0 ] || fail "$image: training with LibTorch: $(cat "$work/error")"
    pass "$image: LibTorch trains a variational autoencoder"
  fi
}

version=$(build/release/bin/calopipe --version)
scripts/image.sh "${images[@]}"
mkdir -p "$work/first"
mv build/images/* "$work/first"
# The second time everything that is particular to images is made anew.
rm -rf build/release/image build/image-layers build/image-debs
scripts/image.sh "${images[@]}"
start_containerd
for image in "${images[@]}"; do
  check_digest "$image"
  check_size "$image"
  unpack "$image"
  check_contents "$image"
  check_runs "$image"
  run_pipeline "$image"
  train_vae "$image"
  umount "$work/root"
done
echo "$passed passed, 0 failed"
