#!/usr/bin/env bash
# Starts a Kubernetes node with Argo and an S3 server, and runs the tests. scripts/test-cluster.sh runs it as the first process
# of its own namespaces for processes, mounts and network: whatever it starts and changes ends with it.
# Usage: node.sh [TEST …]
set -euo pipefail
cd "$(dirname "$0")"
run=$CLUSTER_RUN
bin=$CLUSTER_CACHE/bin
node_ip=10.243.0.2
pods=10.244.0
export HOME=$run KUBECONFIG=$run/admin.conf CLUSTER_NODE_IP=$node_ip CONTAINERD_ADDRESS=/run/containerd.sock CONTAINERD_NAMESPACE=k8s.io
export PYTHONDONTWRITEBYTECODE=1 CLUSTER_IMAGE_TAG
CLUSTER_IMAGE_TAG=$("$CALOPIPE" --version | cut -d" " -f1)
started=$EPOCHREALTIME

fail() { echo "test-cluster: $*" >&2; exit 4; }
kubectl() { timeout "${limit_s:-150}" "$bin/kubernetes" kubectl "$@"; }
seconds() { awk -v now="$EPOCHREALTIME" -v then="$1" 'BEGIN {printf "%.1f s", now - then}'; }

# start NAME COMMAND …: in the background, with a log.
start() {
  local name=$1
  shift
  "$@" >"$run/log/$name.log" 2>&1 &
  echo $! >"$run/log/$name.pid"
}

# wait_for SECONDS WHAT LOG COMMAND …
wait_for() {
  local limit_s=10 end=$((SECONDS + $1)) what=$2 log=$3
  shift 3
  until "$@" >/dev/null 2>&1; do
    if [ $SECONDS -ge "$end" ] || ! kill -0 "$(cat "$run/log/$log.pid")" 2>/dev/null; then
      tail -5 "$run/log/$log.log" >&2
      fail "$what"
    fi
    sleep 0.3
  done
}

# Folders of the system: what the node writes there lies in its own folder. The kernel's settings that kubelet changes are
# replaced by files, so that it does not change the machine's.
separate_mounts() {
  mount --make-rprivate /
  mount -t tmpfs tmpfs /run
  mkdir -p /run/lock /run/netns /run/node "$run/var/new" "$run/var/work" "$run/kernel"
  mount -t overlay -o "lowerdir=/var,upperdir=$run/var/new,workdir=$run/var/work" overlay /var ||
    fail "the cache must not be below /var: set CALOPIPE_CLUSTER_CACHE"
  local setting
  for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
    [ -e "/proc/sys/$setting" ] || continue
    cat "/proc/sys/$setting" >"$run/kernel/${setting//\//.}"
    mount --bind "$run/kernel/${setting//\//.}" "/proc/sys/$setting"
  done
  mount --bind "$run" /run/node  # paths of sockets have at most 107 characters
  mount --make-rshared /
}

make_network() {
  ip link set lo up
  ip link add node type bridge
  ip address add "$node_ip/30" dev node
  ip link set node up
  ip route add default via 10.243.0.1  # nobody is there: the node has no way out
  echo 1 >/proc/sys/net/ipv4/ip_forward
  iptables -P FORWARD ACCEPT
}

make_certificates() {
  mkdir -p "$run/pki"
  (
    cd "$run/pki"
    umask 077
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -subj /CN=calopipe-test -days 7
    openssl req -newkey rsa:2048 -nodes -keyout api.key -out api.csr -subj /CN=kube-apiserver
    echo "subjectAltName=IP:$node_ip,IP:10.96.0.1,IP:127.0.0.1,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local" >names
    openssl x509 -req -in api.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out api.crt -days 7 -extfile names
    openssl genrsa -out accounts.key 2048
    openssl rsa -in accounts.key -pubout -out accounts.pub
    echo "$(openssl rand -hex 16),admin,admin,system:masters" >tokens.csv
  ) >"$run/log/openssl.log" 2>&1
  cat >"$KUBECONFIG" <<END
apiVersion: v1
kind: Config
clusters: [{name: node, cluster: {server: "https://$node_ip:6443", certificate-authority: $run/pki/ca.crt}}]
users: [{name: admin, user: {token: $(cut -d, -f1 "$run/pki/tokens.csv")}}]
contexts: [{name: node, context: {cluster: node, user: admin, namespace: calopipe}}]
current-context: node
END
}

start_containerd() {
  mkdir -p "$run/cni"
  cat >"$run/cni/10-pods.conflist" <<END
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "pods", "isGateway": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pods.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
END
  cat >"$run/containerd.toml" <<END
version = 2
root = "$run/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
address = "$CONTAINERD_ADDRESS"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pause:test"
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$run/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
END
  start containerd containerd --config "$run/containerd.toml"
  wait_for 30 "containerd does not start" containerd ctr version
  local image
  for image in "$CLUSTER_CACHE"/images/*.tar "$CLUSTER_IMAGE"; do
    ctr images import "$image" >>"$run/log/images.log" 2>&1 || fail "$image cannot be imported: $(tail -1 "$run/log/images.log")"
  done
}

start_control_plane() {
  local pki=$run/pki kubernetes=$bin/kubernetes
  start etcd "$kubernetes" etcd --data-dir="$run/etcd" --unsafe-no-fsync --log-level=warn
  start kube-apiserver "$kubernetes" kube-apiserver --etcd-servers=http://127.0.0.1:2379 --advertise-address=$node_ip \
    --tls-cert-file="$pki/api.crt" --tls-private-key-file="$pki/api.key" --client-ca-file="$pki/ca.crt" --token-auth-file="$pki/tokens.csv" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local --service-account-key-file="$pki/accounts.pub" \
    --service-account-signing-key-file="$pki/accounts.key" --service-cluster-ip-range=10.96.0.0/16 --authorization-mode=RBAC \
    --allow-privileged=true --kubelet-preferred-address-types=InternalIP
  wait_for 300 "the API server does not start" kube-apiserver kubectl get --raw /readyz
  local client="--kubeconfig=$KUBECONFIG"
  start kube-controller-manager "$kubernetes" kube-controller-manager $client --leader-elect=false --bind-address=127.0.0.1 \
    --service-account-private-key-file="$pki/accounts.key" --root-ca-file="$pki/ca.crt"
  start kube-scheduler "$kubernetes" kube-scheduler $client --leader-elect=false --bind-address=127.0.0.1
  cat >"$run/proxy.yaml" <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clientConnection: {kubeconfig: $KUBECONFIG}
clusterCIDR: $pods.0/24
hostnameOverride: node
conntrack: {maxPerCore: 0}
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
END
  start kube-proxy "$kubernetes" kube-proxy --config="$run/proxy.yaml"
}

start_kubelet() {
  cat >"$run/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
failSwapOn: false
cgroupDriver: cgroupfs
cgroupRoot: /$CLUSTER_CGROUP
enforceNodeAllocatable: []
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
clusterDNS: [$node_ip]
clusterDomain: cluster.local
resolvConf: ""
containerRuntimeEndpoint: unix://$CONTAINERD_ADDRESS
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, nodefs.inodesFree: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
oomScoreAdj: 0
podLogsDir: $run/log/pods
END
  start kubelet "$bin/kubernetes" kubelet --config="$run/kubelet.yaml" --kubeconfig="$KUBECONFIG" --root-dir=/run/node/kubelet --hostname-override=node --node-ip=$node_ip
  wait_for 60 "kubelet does not register the node" kubelet kubectl get node node
  kubectl wait --for=condition=Ready node/node --timeout=120s >/dev/null || fail "the node does not become ready: $(tail -1 "$run/log/kubelet.log")"
}

# On a busy machine, a large definition can exceed the API server's limit of 60 s for a request.
apply_definitions() {
  local tries
  for tries in 1 2 3; do
    kubectl apply --server-side -f "$bin/crds" >/dev/null && return
  done
  return 1
}

# Names of services and of pods in headless services, which Kubernetes' own DNS server would know.
name_pods() {
  local services='{range .items[*]}{.spec.clusterIP} {.metadata.name}.{.metadata.namespace}.svc.cluster.local{"\n"}{end}'
  local fields='{range .items[?(@.spec.subdomain)]}{.status.podIP} {.spec.hostname}.{.spec.subdomain}.{.metadata.namespace}.svc.cluster.local{"\n"}{end}'
  while sleep 2; do
    {
      kubectl get pods --all-namespaces -o jsonpath="$fields"
      kubectl get services --all-namespaces -o jsonpath="$services"
    } 2>/dev/null | grep '^[0-9]' >"$run/hosts.new" || continue
    cmp -s "$run/hosts.new" "$run/hosts/pods" || mv "$run/hosts.new" "$run/hosts/pods"
  done
}

start_services() {
  mkdir -p "$run/hosts"
  start name-pods name_pods
  start dnsmasq dnsmasq -k --no-resolv --no-hosts --conf-file=/dev/null --listen-address="$node_ip,127.0.0.1" --bind-interfaces --user=root --pid-file= --hostsdir="$run/hosts" \
    --address=/kubernetes.default.svc.cluster.local/10.96.0.1 --address="/calopipe.svc.cluster.local/$node_ip" \
    --local=/kubeflow.calopipe.svc.cluster.local/ --local=/calopipe.calopipe.svc.cluster.local/ --local=/cluster.local/ --local=//
  S3_IGNORE_SUBDOMAIN_BUCKETNAME=true start s3 "$PYTHON" -m moto.server -H "$node_ip" -p 9000
  apply_definitions || fail "the resource definitions of Argo are refused"
  # A definition has no conditions at first, and kubectl refuses to wait for them.
  wait_for 60 "the resource definitions of Argo are not served" kube-apiserver kubectl get workflows
  kubectl apply -f objects.yaml >/dev/null
  LEADER_ELECTION_DISABLE=true start workflow-controller "$bin/workflow-controller" --kubeconfig="$KUBECONFIG" --namespaced --namespace=calopipe \
    --managed-namespace=calopipe --executor-image=localhost/argoexec:test --executor-image-pull-policy=IfNotPresent
  wait_for 60 "the S3 server does not start" s3 curl -sf "http://$node_ip:9000"
  wait_for 60 "the namespace gets no account" kube-controller-manager kubectl get serviceaccount default
}

separate_mounts
make_network
make_certificates
start_containerd
start_control_plane
start_kubelet
start_services
echo "test-cluster: the node is ready after $(seconds "$started") (load $(cut -d' ' -f1 /proc/loadavg), $(nproc) processors)"
filter=()
for word in "$@"; do filter+=(-k "*.test_*$word*"); done
code=0
"$PYTHON" -m unittest discover --pattern '*_test.py' --verbose "${filter[@]}" || code=1
if [ -n "$CLUSTER_KEEP" ]; then
  echo "test-cluster: the node runs until Ctrl-C"
  sleep infinity
fi
exit "$code"
