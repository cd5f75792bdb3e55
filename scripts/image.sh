#!/usr/bin/env bash
# Makes the container images as OCI archives, on Debian 12, without a container engine, a registry or root (doc/images.md).
# Usage: image.sh [IMAGE …]     IMAGE: calopipe, calopipe-train; default: both
#        image.sh --folders     only the files of the layers, in build/image-layers (for deploy/image/Dockerfile)
# Results: build/images/IMAGE.tar and IMAGE.digest, after scripts/setup.sh image. Two builds of a commit give the same digest as long as Debian's
# packages are the same; sbom.spdx.json in the image lists them.
# Environment: CALOPIPE_SOURCE_ID, SOURCE_DATE_EPOCH: commit and its time, if the sources are not a git checkout;
# CALOPIPE_IMAGE_PACKAGES: further Debian packages in the base layer.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C TZ=UTC
umask 022
layers=build/image-layers
multiarch=usr/lib/x86_64-linux-gnu

images=()
only_folders=
for word in "$@"; do
  case "$word" in
    --folders) only_folders=1 ;;
    calopipe | calopipe-train) images+=("$word") ;;
    *) sed -n '2,4s/^# //p' "$0" >&2; exit 2 ;;
  esac
done
[ ${#images[@]} -gt 0 ] || images=(calopipe calopipe-train)
with_torch=
[[ " ${images[*]} " != *" calopipe-train "* ]] || with_torch=1

source_of_git() {
  local commit changes
  commit=$(git rev-parse HEAD)
  changes=$(git status --porcelain | head -1)
  echo "$commit${changes:++changes}"
}
source_id=${CALOPIPE_SOURCE_ID:-$(source_of_git)}
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}

# LibTorch: of PyPI's wheels only the headers and the libraries for CPUs. Debian's LibTorch cannot be had without 289
# libraries (OpenCV, GDAL, ffmpeg, Qt).
unpack_torch() {
  local wheels=build/torch-wheels folder=build/torch-cpu
  cmp -s deploy/image/torch-wheels.txt "$folder/unpacked.txt" && return
  grep -q "^$(cat cmake/torch-wheel.txt) " deploy/image/torch-wheels.txt || {
    echo "image: deploy/image/torch-wheels.txt is not for the torch of cmake/torch-wheel.txt" >&2
    exit 1
  }
  rm -rf "$folder"
  mkdir -p "$wheels" "$folder"
  [ -x build/pip/bin/pip ] || python3 -m venv build/pip
  echo "image: downloading LibTorch (900 MB) to $wheels"
  build/pip/bin/pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
    --python-version 3.11 --platform manylinux_2_28_x86_64 --platform manylinux2014_x86_64 \
    --dest "$wheels" -r deploy/image/torch-wheels.txt
  local wheel
  for wheel in "$wheels"/torch-*.whl; do
    unzip -q "$wheel" 'torch/include/*' torch/lib/libtorch_cpu.so torch/lib/libc10.so '*/licenses/*' '*/METADATA' -d "$folder"
  done
  for wheel in "$wheels"/nvidia_*.whl; do
    unzip -q "$wheel" '*/lib/libcu*.so.12' '*/License.txt' '*/METADATA' -d "$folder"
  done
  cp deploy/image/torch-wheels.txt "$folder/unpacked.txt"
}

# Both are targets of the release build, so that only what differs from it is compiled.
build_programs() {
  local options=(-DCALOPIPE_SOURCE_ID="$source_id") targets=(calopipe_image calopipe_gloo calopipe_xrootd)
  if [ -n "$with_torch" ]; then
    options+=(-DCALOPIPE_IMAGE_TORCH_DIR=build/torch-cpu/torch)
    targets+=(calopipe_torch_image)
  fi
  scripts/build.sh release "${options[@]}" -- "${targets[@]}"
}

# Packages of the libraries that these programs and libraries need, found by the machine's own.
packages_of_libraries() {
  local library
  ldd "$@" 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u | while read -r library; do
    library=$(realpath "$library")
    [[ $library == "$PWD"/* ]] || dpkg-query -S "$library" 2>/dev/null || dpkg-query -S "${library#/usr}"  # /usr is merged
  done | sed 's/:.*//' | sort -u
}

# packages_of_libraries_in PACKAGE …: the same for all libraries in these packages.
packages_of_libraries_in() {
  local files package
  # With the architecture: a machine may have a package of several, and a package of all has none.
  mapfile -t files < <(for package; do dpkg-query -L "$package:amd64" 2>/dev/null || dpkg-query -L "$package"; done |
    grep -E '\.so(\.|$)' | xargs -rd '\n' realpath | sort -u)
  [ ${#files[@]} -eq 0 ] || packages_of_libraries "${files[@]}"
}

# unpack_packages LAYER PACKAGE …: the newest files of these packages, without documentation and translations (as in
# Debian's slim images), and their status for scanners.
unpack_packages() {
  local layer=$1 debs=build/image-debs deb
  shift
  mkdir -p "$debs" "$layer/var/lib/dpkg/status.d"
  (cd "$debs" && apt-get download -qq -o APT::Sandbox::User="$(id -un)" "$@")
  apt-get download --print-uris "$@" | awk '{print $2}' | while read -r deb; do
    dpkg-deb --fsys-tarfile "$debs/$deb" | tar -x -C "$layer" --no-same-owner --keep-directory-symlink \
      --exclude='./usr/share/doc/*/[!c]*' --exclude='./usr/share/doc/*/changelog*' --exclude='./usr/share/man' \
      --exclude='./usr/share/locale' --exclude='./usr/share/lintian' --exclude='./usr/share/info'
    dpkg-deb --field "$debs/$deb" >"$layer/var/lib/dpkg/status.d/$(dpkg-deb --field "$debs/$deb" Package)"
  done
}

new_layer() {
  rm -rf "$1"
  mkdir -p "$1"
}

# Folders of Debian with /usr merged: links must exist before packages are unpacked.
merge_usr() {
  local name
  for name in bin lib lib64 sbin; do
    mkdir -p "$1/usr/$name"
    ln -s "usr/$name" "$1/$name"
  done
}

# Puts a library without data in the place of ICU's data (deploy/image/icu_without_data.c says why).
replace_icu_data() {
  local data symbol
  for data in "$1/$multiarch"/libicudata.so.*.*; do
    [ -e "$data" ] || return 0
    symbol=$(nm -D --defined-only "$data" | awk '$3 ~ /^icudt/ {print $3}')
    cc -shared -fPIC -s -O1 -DICU_SYMBOL="$symbol" -Wl,-soname,"$(basename "${data%.*}")" -Wl,--build-id=none \
      deploy/image/icu_without_data.c -o "$data"
  done
}

make_base_layer() {
  local layer=$layers/base listed
  new_layer "$layer"
  merge_usr "$layer"
  mapfile -t listed < <(sed '/^#/d; s/ .*//' deploy/image/packages.txt; tr ' ' '\n' <<<"${CALOPIPE_IMAGE_PACKAGES:-}" | sed '/^$/d')
  mapfile -t base_packages < <({
    printf '%s\n' "${listed[@]}"
    packages_of_libraries build/release/image/bin/calopipe build/release/lib/calopipe/libcalopipe-{gloo,xrootd}.so
    packages_of_libraries_in "${listed[@]}"
  } | sort -u)
  unpack_packages "$layer" "${base_packages[@]}"
  replace_icu_data "$layer"
  # What the maintainer scripts of these packages would do.
  ln -s openblas-pthread/libopenblas.so.0 "$layer/$multiarch/libopenblas.so.0"
  mkdir -p "$layer/etc/ssl/certs"
  find "$layer/usr/share/ca-certificates" -name '*.crt' | sort | xargs cat >"$layer/etc/ssl/certs/ca-certificates.crt"
  cat >"$layer/etc/passwd" <<'END'
root:x:0:0:root:/root:/usr/sbin/nologin
calopipe:x:1000:1000:calopipe:/tmp:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
END
  printf 'root:x:0:\ncalopipe:x:1000:\nnogroup:x:65534:\n' >"$layer/etc/group"
  printf 'passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n' >"$layer/etc/nsswitch.conf"
  mkdir -p "$layer/tmp" "$layer/var/tmp"
  chmod 1777 "$layer/tmp" "$layer/var/tmp"
  chmod 755 "$layer/root"
}

make_program_layer() {
  local layer=$layers/program package
  new_layer "$layer"
  install -D -s -m 755 build/release/image/bin/calopipe "$layer/usr/bin/calopipe"
  install -D -s -m 644 build/release/lib/calopipe/libcalopipe-{gloo,xrootd}.so -t "$layer/usr/lib/calopipe"
  mkdir -p "$layer/usr/share/calopipe"
  cp -r models "$layer/usr/share/calopipe"
  local licences=$layer/usr/share/doc/calopipe/licences
  mkdir -p "$licences"
  cp LICENSE "$layer/usr/share/doc/calopipe/copyright"
  while read -r package; do
    cp "/usr/share/doc/$package/copyright" "$licences/$package"
  done < <(sed '/^#/d' deploy/image/static-packages.txt)
  while read -r package; do
    cat "build/release/web/bundle/node_modules/$package/"LICENSE* >"$licences/npm-${package//\//-}"
  done < <(cut -d' ' -f1 build/release/web/bundle/dist/packages.txt)
}

make_torch_layer() {
  local layer=$layers/torch package
  new_layer "$layer"
  local libraries=$layer/usr/lib/calopipe licences=$layer/usr/share/doc/calopipe/licences
  install -D -s -m 644 build/release/image/lib/calopipe/libcalopipe-torch.so -t "$libraries"
  find build/torch-cpu -name '*.so*' -type f -exec cp {} "$libraries" \;
  chmod 644 "$libraries"/*
  strip --strip-unneeded "$libraries/libc10.so" "$libraries/libtorch_cpu.so"
  mkdir -p "$licences/torch"
  cp build/torch-cpu/torch-*/licenses/* "$licences/torch"
  cp build/torch-cpu/nvidia_cuda_runtime*/License.txt "$licences/nvidia-cuda"
  local packages=()
  for package in $(packages_of_libraries "$libraries/libcalopipe-torch.so"); do
    [[ " ${base_packages[*]} " == *" $package "* ]] || packages+=("$package")
  done
  mkdir -p "$layer/usr/lib"
  ln -s usr/lib "$layer/lib"
  unpack_packages "$layer" "${packages[@]}"
  rm "$layer/lib"  # the base layer has it
}

# check_libraries FOLDER …: every library that a file in the layers names is in them.
check_libraries() {
  local missing
  missing=$(comm -23 \
    <(find "$@" -type f \( -name '*.so*' -o -path '*/bin/*' \) -exec readelf -d {} + 2>/dev/null |
      sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u) \
    <(find "$@" -name '*.so*' -printf '%f\n' | sort -u))
  [ -z "$missing" ] || { echo "image: these libraries are not in the image:" $missing >&2; exit 1; }
}

describe() {
  local image=$1
  shift
  deploy/image/sbom.py --name "$image" --source "$source_id" --out "${*: -1}/usr/share/doc/calopipe/sbom.spdx.json" "$@"
}

[ -z "$with_torch" ] || unpack_torch
build_programs
make_base_layer
make_program_layer
describe calopipe "$layers/base" "$layers/program"
check_libraries "$layers/base" "$layers/program"
if [ -n "$with_torch" ]; then
  make_torch_layer
  describe calopipe-train "$layers/base" "$layers/program" "$layers/torch"
  check_libraries "$layers/base" "$layers/program" "$layers/torch"
fi
[ -z "$only_folders" ] || exit 0

arguments=()
for image in "${images[@]}"; do
  arguments+=(--image "$image" "$layers/base" "$layers/program")
  [ "$image" = calopipe ] || arguments+=("$layers/torch")
done
deploy/image/pack.py --source "$source_id" --out build/images "${arguments[@]}"
