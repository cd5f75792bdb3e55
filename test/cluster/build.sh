#!/usr/bin/env bash
# Builds what the node of test-cluster.sh needs from Go's modules: Kubernetes with etcd, Argo's controller and executor, and images.
# Usage: build.sh CACHE [--images]     results: CACHE/bin, CACHE/images; what is up to date stays. --images: no programs, only images
# Environment: CALOPIPE_GO_JOBS: packages that Go compiles at a time (default: one per processor)
set -euo pipefail
cd "$(dirname "$0")"
cache=$1
kubernetes_version=1.34.4
argo=github.com/argoproj/argo-workflows/v4

script=test-cluster
. ./go.sh

# Argo's folder with two repairs. Archives of modules have no links: signal_linux.go is a link to signal_darwin.go in Argo's
# repository, and is missing.
repair_argo() {
  local original copy=$cache/build/argo
  go mod download "$argo"
  original=$(go list -m -f '{{.Dir}}' "$argo")
  rm -rf "$copy"
  mkdir -p "$copy"
  tar -C "$original" -c --exclude=./docs --exclude=./ui --exclude=./examples . | tar -x -C "$copy"
  (cd "$copy/workflow/executor/osspecific" && cp signal_darwin.go signal_linux.go)
  sed '/go:build ignore/d' "$source/argo_labels.go" >"$copy/workflow/executor/labels_lookup.go"
  go mod edit -replace "$argo=$copy"
}

build_programs() {
  local source=$PWD/programs stamp
  stamp=$(cat build.sh go.sh programs/*.go programs/go.mod programs/go.sum | sha256sum)
  [ "$(cat "$cache/bin/built.txt" 2>/dev/null)" != "$stamp" ] || return 0
  use_go
  mkdir -p "$cache/bin" "$cache/build/programs"
  cp programs/main.go programs/go.mod programs/go.sum "$cache/build/programs"
  (
    cd "$cache/build/programs"
    local version=k8s.io/component-base/version
    compile kubernetes . "-X $version.gitVersion=v$kubernetes_version -X $version.gitMajor=1 -X $version.gitMinor=34"
    repair_argo
    compile workflow-controller "$argo/cmd/workflow-controller" ""
    compile argoexec "$argo/cmd/argoexec" ""
  )
  rm -rf "$cache/bin/crds"
  cp -r "$cache/build/argo/manifests/base/crds/full" "$cache/bin/crds"
  rm "$cache/bin/crds/kustomization.yaml"
  echo "$stamp" >"$cache/bin/built.txt"
}

# Kubeflow's Trainer and JobSet have modules and a version of Kubernetes' libraries of their own.
build_trainer() {
  local source=$PWD/programs/trainer stamp trainer=github.com/kubeflow/trainer/v2 jobset=sigs.k8s.io/jobset folder=$cache/bin/trainer.d
  stamp=$(cat build.sh go.sh programs/trainer/* | sha256sum)
  [ "$(cat "$folder/built.txt" 2>/dev/null)" != "$stamp" ] || return 0
  use_go
  rm -rf "$folder"
  mkdir -p "$folder" "$cache/build/trainer"
  cp "$source/go.mod" "$source/go.sum" "$cache/build/trainer"
  (
    cd "$cache/build/trainer"
    compile trainer "$trainer/cmd/trainer-controller-manager" ""
    compile jobset "$jobset" ""
    cp -r "$(go list -m -f '{{.Dir}}' "$trainer")/manifests" "$folder/trainer"
    cp -r "$(go list -m -f '{{.Dir}}' "$jobset")/config" "$folder/jobset"
  )
  chmod -R u+w "$folder"
  mkdir "$folder/trainer/overlays/node"
  cp "$folder/trainer/overlays/manager/namespace.yaml" "$folder/trainer/overlays/node"
  cp "$source/overlay.yaml" "$folder/trainer/overlays/node/kustomization.yaml"
  cp "$source/kustomization.yaml" "$folder"
  echo "$stamp" >"$folder/built.txt"
}

# Katib's programs of Go; its early stopping is a program of Python, whose packages come from PyPI.
build_katib() {
  local source=$PWD/programs/katib stamp katib=github.com/kubeflow/katib folder=$cache/bin/katib.d original
  stamp=$(cat build.sh go.sh programs/katib/* | sha256sum)
  [ "$(cat "$folder/built.txt" 2>/dev/null)" != "$stamp" ] || return 0
  use_go
  rm -rf "$folder"
  mkdir -p "$folder/medianstop" "$cache/build/katib"
  cp "$source/go.mod" "$source/go.sum" "$cache/build/katib"
  (
    cd "$cache/build/katib"
    compile katib-controller "$katib/cmd/katib-controller/v1beta1" ""
    compile katib-db-manager "$katib/cmd/db-manager/v1beta1" ""
    compile katib-goptuna "$katib/cmd/suggestion/goptuna/v1beta1" ""
    compile katib-collector "$katib/cmd/metricscollector/v1beta1/file-metricscollector" ""
    original=$(go list -m -f '{{.Dir}}' "$katib")
    cp -r "$original/manifests/v1beta1/components" "$folder"
    tar -C "$original" -c pkg/apis/manager pkg/earlystopping cmd/earlystopping | tar -x -C "$folder/medianstop"
  )
  chmod -R u+w "$folder"
  cp "$source/kustomization.yaml" "$source/katib-config.yaml" "$folder"
  /usr/bin/python3 -m venv "$cache/build/katib/venv"
  "$cache/build/katib/venv/bin/pip" install -q --no-compile --target "$folder/medianstop/packages" \
    -r "$folder/medianstop/cmd/earlystopping/medianstop/v1beta1/requirements.txt"
  echo "$stamp" >"$folder/built.txt"
}

new_root() {
  rm -rf "$cache/build/root"
  mkdir -p "$cache/build/root/bin" "$cache/build/root/etc"
  mkdir -m 1777 "$cache/build/root/tmp"
  printf 'root:x:0:0:root:/:/\nuser:x:8737:8737:user:/tmp:/\n' >"$cache/build/root/etc/passwd"
}

# pack NAME OPTION …
pack() { ./pack_image.py --root "$cache/build/root" --name "localhost/$1:test" --out "$cache/images/$1.tar" "${@:2}"; }

build_katib_images() {
  local program root=$cache/build/root
  [ -e "$cache/bin/katib.d" ] || return 0
  for program in katib-controller katib-db-manager katib-goptuna katib-collector; do
    new_root
    cp "$cache/bin/$program" "$root"
    # The collector runs pgrep, which Debian's BusyBox lacks.
    [ "$program" != katib-collector ] || cp --parents -L /usr/bin/pgrep $(ldd /usr/bin/pgrep | grep -o '/[^ ]*') "$root"
    pack "$program" --user 0:0 --entrypoint "/$program"
  done
  new_root
  cp --parents -L /usr/bin/python3 $(find /usr/lib/python3*/lib-dynload /usr/bin/python3 "$cache/bin/katib.d/medianstop/packages" -name '*.so*' -o -name python3 | xargs ldd 2>/dev/null | grep -oh '=> /[^ ]*\|^\s*/lib[^ ]*' | sed 's/=> //' | sort -u) "$root"
  cp -r --parents -L /usr/lib/python3.* "$root"
  mkdir -p "$root/opt"
  cp -r "$cache/bin/katib.d/medianstop" "$root/opt/katib"
  pack katib-medianstop --user 1000:1000 --entrypoint "/usr/bin/python3 /opt/katib/cmd/earlystopping/medianstop/v1beta1/main.py" \
    --env PYTHONPATH=/opt/katib:/opt/katib/pkg/apis/manager/v1beta1/python:/opt/katib/packages --env PYTHONDONTWRITEBYTECODE=1
}

build_images() {
  local stamp
  stamp=$(cat build.sh pack_image.py programs/pause.c "$cache/bin/"{argoexec,trainer,jobset,katib-*,katib.d/built.txt} /bin/busybox 2>/dev/null | sha256sum)
  [ "$(cat "$cache/images/built.txt" 2>/dev/null)" != "$stamp" ] || return 0
  mkdir -p "$cache/images" "$cache/build"
  new_root
  cc -Os -static -s -o "$cache/build/root/bin/pause" programs/pause.c
  pack pause --user 65535:65535 --entrypoint /bin/pause
  new_root
  cp /bin/busybox "$cache/build/root/bin"
  local applet
  for applet in $(busybox --list); do ln -s busybox "$cache/build/root/bin/$applet" 2>/dev/null || true; done
  # Debian's BusyBox has no install, which the init container for Kerberos runs.
  cp --parents -L /usr/bin/install $(ldd /usr/bin/install | grep -o '/[^ ]*') "$cache/build/root"
  pack busybox --user 1000:1000
  new_root
  cp "$cache/bin/argoexec" "$cache/build/root/bin"
  # As Argo's own image: another user than the one of calopipe's.
  pack argoexec --user 8737:8737 --entrypoint /bin/argoexec
  local manager
  for manager in trainer jobset; do
    [ -e "$cache/bin/$manager" ] || continue
    new_root
    cp "$cache/bin/$manager" "$cache/build/root/manager"
    pack "$manager" --user 65532:65532 --entrypoint /manager
  done
  build_katib_images
  rm -rf "$cache/build/root"
  echo "$stamp" >"$cache/images/built.txt"
}

if [ "${2:-}" != --images ]; then
  build_programs
  build_trainer
  build_katib
fi
build_images
