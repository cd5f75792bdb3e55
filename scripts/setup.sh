#!/usr/bin/env bash
# Installs the Debian packages that calopipe needs (Debian 12, as root or with sudo).
# Usage: setup.sh build|test|lint|image|arm|cluster|cuda
# cuda also installs LibTorch with CUDA from PyPI into build/torch (6.5 GB; no CUDA toolkit is needed; doc/gpu.md).
set -euo pipefail

packages=(
  g++ cmake ninja-build pkg-config git ca-certificates
  libtorch-dev libgloo-dev libonnx-dev libprotobuf-dev libopenblas-dev libdnnl-dev libhdf5-dev libdeflate-dev liblzf-dev zlib1g-dev
  libyaml-cpp-dev nlohmann-json3-dev libcli11-dev libfmt-dev libspdlog-dev
  libboost1.74-dev libeigen3-dev libssl-dev libpugixml-dev libsqlite3-dev libcurl4-openssl-dev libprotozero-dev libxrootd-client-dev libkrb5-dev libpq-dev
)
case "${1:-build}" in
  build) ;;
  test) packages+=(libgtest-dev libgmock-dev python3 python3-venv ccache
                  xrootd-server xrootd-client xrootd-plugins krb5-kdc krb5-admin-server krb5-user fish zsh openmpi-bin mpich procps postgresql libpq5) ;;
  cuda) packages+=(python3 python3-venv) ;;
  # For scripts/image.sh and scripts/test-image.sh.
  image) packages+=(binutils python3 python3-venv unzip libcurl4 netbase containerd runc) ;;
  # The inference library for 64-bit ARM: a cross compiler, libraries of Debian's arm64, QEMU.
  arm) packages=(g++ cmake ninja-build ccache nlohmann-json3-dev python3 python3-venv g++-aarch64-linux-gnu qemu-user
                 {libgtest,libgmock,libssl,libspdlog,libfmt}-dev:arm64) ;;
  # For scripts/test-cluster.sh; Go is not Debian's, whose version is too old.
  cluster) packages+=(containerd runc containernetworking-plugins iptables iproute2 conntrack dnsmasq-base busybox-static libc6-dev openssl curl procps
                      python3 python3-venv binutils unzip netbase krb5-kdc krb5-admin-server krb5-user postgresql) ;;
  lint) packages+=(clang-format-14 clang-tidy-14 clang-14 libclang-rt-14-dev doxygen) ;;
  *) echo "usage: $0 build|test|lint|image|arm|cluster|cuda" >&2; exit 2 ;;
esac
# Programs that may be installed without Debian packages.
need_program() { command -v "$1" >/dev/null || packages+=("$2"); }
if [ "${1:-build}" != arm ]; then
  need_program node nodejs
  need_program npm npm
fi
[ "${1:-build}" != test ] || need_program chromium chromium
missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [[ $status == *"install ok installed"* ]] || missing+=("$package")
done

install_packages() {
  # An image has the newest packages, so that it needs a new index.
  [ ${#missing[@]} -eq 0 ] && [ "${1:-}" != image ] && return
  local sudo=(sudo)
  if [ "$(id -u)" -eq 0 ]; then sudo=(); elif ! command -v sudo >/dev/null; then
    echo "setup: run as root, or install: ${missing[*]}" >&2
    exit 4
  fi
  if [ "${1:-}" = arm ]; then "${sudo[@]}" dpkg --add-architecture arm64; fi
  "${sudo[@]}" apt-get update -qq
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "setup: installing ${missing[*]}"
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
install_packages "${1:-build}"

if [ "${1:-build}" = cuda ]; then
  cd "$(dirname "$0")/.."
  torch=$(cat cmake/torch-wheel.txt)
  if [ "$(cat build/torch/installed.txt 2>/dev/null)" != "$torch" ]; then
    rm -rf build/torch
    python3 -m venv build/torch
    echo "setup: downloading $torch and the libraries of CUDA"
    build/torch/bin/pip install --quiet --disable-pip-version-check "$torch"
    echo "$torch" >build/torch/installed.txt
  fi
  echo "setup: cmake --preset release -DCALOPIPE_TORCH_DIR=$(echo build/torch/lib/python3*/site-packages/torch)"
fi
