#!/usr/bin/env bash
# Tests calopipe on a real Kubernetes node with Argo Workflows, which is started for them and removed afterwards
# (doc/cluster-tests.md). Debian 12, as root; the first build needs Go and 8 GB of disk.
# Usage: test-cluster.sh [OPTION …] [TEST …]
#   TEST               only tests whose names contain this word; default: all
#   --list             prints the names of the tests
#   --build            only builds the programs of the node
#   --prebuilt FOLDER  programs of this folder (kubernetes, workflow-controller, argoexec) instead of building them
#   --image FILE       OCI archive of calopipe (default: build/images/calopipe.tar, made by scripts/image.sh if it is missing)
#   --keep             keeps the node until Ctrl-C after the tests
#   --logs FOLDER      keeps the logs of the node there (default after a failure: build/cluster-logs)
# Environment: CALOPIPE_CLUSTER_CACHE (default: ~/.cache/calopipe/cluster): programs, images and caches of Go;
# CALOPIPE: program that compiles and runs pipelines (default: build/release/bin/calopipe).
# Exit codes: 0 the tests pass, 1 a test fails, 2 wrong usage, 4 the node cannot be built or started here.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${CALOPIPE_CLUSTER_CACHE:-$HOME/.cache/calopipe/cluster}
export CALOPIPE=${CALOPIPE:-$PWD/build/release/bin/calopipe}
image=$PWD/build/images/calopipe.tar
prebuilt= only_build= keep= logs=
tests=()
name=calopipe-node-$$
run=$cache/run/$name
node_pid=

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; }
fail() { echo "test-cluster: $*" >&2; exit 4; }

list_tests() { grep -ho 'def test_[a-z_0-9]*' test/cluster/*_test.py | sed 's/def test_//'; }

read_options() {
  while [ $# -gt 0 ]; do
    case "$1" in
      -h | --help) usage; exit 0 ;;
      --list) list_tests; exit 0 ;;
      --build) only_build=1 ;;
      --keep) keep=1 ;;
      --prebuilt | --image | --logs)
        [ $# -gt 1 ] || { echo "test-cluster: $1 needs a value" >&2; exit 2; }
        declare -g "${1#--}=$(realpath -m "$2")"
        shift ;;
      -*) echo "test-cluster: unknown option $1" >&2; usage >&2; exit 2 ;;
      *)
        list_tests | grep -qF -- "$1" || { echo "test-cluster: no test is called $1 (--list prints their names)" >&2; exit 2; }
        tests+=("$1") ;;
    esac
    shift
  done
}

check_machine() {
  [ "$(id -u)" -eq 0 ] || fail "run as root: a Kubernetes node needs namespaces, mounts and cgroups"
  unshare --pid --fork --mount --net --mount-proc true 2>/dev/null ||
    fail "this machine does not allow new namespaces (it needs CAP_SYS_ADMIN, as in a privileged container)"
  local network="ip link add bridge0 type bridge && ip link add veth0 type veth peer name veth1 && iptables -L -n"
  unshare --net sh -c "$network" >/dev/null 2>&1 || fail "this machine has no bridges, virtual interfaces or iptables in a new network namespace"
}

# The cgroups of the node, in the one hierarchy of version 2 or in each of version 1.
cgroups() { find /sys/fs/cgroup -maxdepth 2 -type d -name "$1"; }

make_cgroups() {
  if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    mkdir "/sys/fs/cgroup/$name"
    return
  fi
  local controller
  for controller in /sys/fs/cgroup/*/; do
    [ ! -e "$controller/cgroup.procs" ] || mkdir -p "$controller/$name"  # cpu and cpuacct can be one folder
  done
}

# remove_node NAME: what is left of a node whose processes have ended.
remove_node() {
  local group
  cgroups "$1" | while read -r group; do find "$group" -depth -type d -exec rmdir {} \; ; done
  rm -rf --one-file-system "$cache/run/${1:?}"
}

# Nodes of scripts that were killed: their processes ended with them.
remove_stale_nodes() {
  local folder
  for folder in "$cache"/run/calopipe-node-*; do
    [ ! -d "$folder" ] || kill -0 "${folder##*-}" 2>/dev/null || remove_node "${folder##*/}"
  done
}

# Ends the first process of the node's process namespace, and with it all others. Mounts, interfaces and iptables belong to
# namespaces that end with their last process.
clean_up() {
  local code=$?
  trap '' INT TERM
  local first
  first=$(cat "$run/first.pid" 2>/dev/null || true)
  [ -z "$first" ] || kill -KILL "$first" 2>/dev/null || true
  [ -z "$node_pid" ] || wait "$node_pid" 2>/dev/null || true
  [ "$code" -eq 0 ] || logs=${logs:-$PWD/build/cluster-logs}
  if [ -n "$logs" ] && [ -d "$run/log" ]; then
    rm -rf "$logs"
    cp -r "$run/log" "$logs"
    echo "test-cluster: the logs of the node are in $logs" >&2
  fi
  remove_node "$name"
  exit "$code"
}

prepare() {
  scripts/setup.sh cluster
  mkdir -p "$cache/run"
  if [ -n "$prebuilt" ]; then
    mkdir -p "$cache/bin"
    install -t "$cache/bin" "$prebuilt/kubernetes" "$prebuilt/workflow-controller" "$prebuilt/argoexec" || fail "$prebuilt lacks programs"
    [ ! -d "$prebuilt/crds" ] || cp -r "$prebuilt/crds" "$cache/bin"
  fi
  test/cluster/build.sh "$cache" ${prebuilt:+--images}
  [ -z "$only_build" ] || exit 0
  scripts/test-peers.sh
  [ -x "$CALOPIPE" ] || scripts/build.sh release -- calopipe
  [ -f "$image" ] || scripts/image.sh calopipe
}

# The first process of the node ends if this script is killed. Its number is the one that this machine uses.
start_node() {
  trap clean_up EXIT
  trap 'exit 130' INT TERM HUP
  mkdir -p "$run/log"
  make_cgroups
  CLUSTER_CACHE=$cache CLUSTER_RUN=$run CLUSTER_CGROUP=$name CLUSTER_IMAGE=$image CLUSTER_KEEP=$keep PYTHON=$PWD/build/test-venv/bin/python \
    setpriv --pdeathsig KILL unshare --pid --fork --kill-child --mount --net --ipc --mount-proc test/cluster/node.sh "${tests[@]}" &
  node_pid=$!
  local tries
  for tries in $(seq 50); do
    pgrep -P "$node_pid" >"$run/first.pid" && break
    sleep 0.1
  done
}

read_options "$@"
check_machine
remove_stale_nodes
prepare
start_node
if [ -n "$keep" ]; then
  echo "test-cluster: a shell in the node: nsenter -t $(cat "$run/first.pid") -m -n -p -i env KUBECONFIG=$run/admin.conf PATH=$cache/bin:\$PATH bash"
fi
wait "$node_pid"
