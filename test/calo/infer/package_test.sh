#!/usr/bin/env bash
# Installs calopipe-infer from a build folder into an empty prefix, builds programs in C and C++ on it and runs them on
# a model. usage: package_test.sh BUILD_FOLDER C_COMPILER CXX_COMPILER MODEL_WRITER SANITIZERS [EMULATOR]
set -euo pipefail
build=$1 c=$2 cxx=$3 writer=$4 sanitize=$5 run=${6:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "infer package: $*" >&2; exit 1; }
quietly() { "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$*"; }; }

quietly cmake --install "$build" --component infer --prefix "$work/prefix"
! grep -rq "$PWD" "$work/prefix" --include=*.cmake || fail "the package names folders of the build"
flags="-Wall -Wextra -Werror -Wno-missing-field-initializers ${sanitize:+-fsanitize=$sanitize}"
quietly cmake -S test/infer_package -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_COMPILER="$c" \
  -DCMAKE_CXX_COMPILER="$cxx" -DCMAKE_C_FLAGS="$flags -pedantic" -DCMAKE_CXX_FLAGS="$flags"
quietly cmake --build "$work/build"
$run "$writer" "$work/model.onnx"
$run "$work/build/consumer_c" "$work/model.onnx" >"$work/by_c" || fail "the C program ends with $?"
$run "$work/build/consumer_cc" "$work/model.onnx" >"$work/by_cc" || fail "the C++ program ends with $?"
cmp "$work/by_c" "$work/by_cc" || fail "$(cat "$work/by_c" "$work/by_cc")"
grep -Eq "^[1-9][0-9]+ hits, [1-9]" "$work/by_c" || fail "$(cat "$work/by_c")"
code=0
$run "$work/build/consumer_cc" "$work/log" 2>"$work/error" || code=$?
[ $code -eq 3 ] && grep -q "$work/log" "$work/error" || fail "exit code $code, $(cat "$work/error")"

# Nothing but the C and C++ libraries, and what a sanitizer brings.
needed=$(readelf -d "$work"/prefix/lib*/libcalopipe-infer.so "$work"/prefix/lib*/*/libcalopipe-infer.so 2>/dev/null |
  sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -vE '^(libstdc\+\+|libm|libgcc_s|libc|ld-linux.*|lib[atu]b?san)\.so' || true)
[ -z "$needed" ] || fail "the library needs $needed"
