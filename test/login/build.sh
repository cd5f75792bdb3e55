#!/usr/bin/env bash
# Builds what test-login.sh needs from Go's modules: Dex, oauth2-proxy, and the example server of zitadel/oidc.
# Usage: build.sh CACHE     results: CACHE/bin/login; what is up to date stays
set -euo pipefail
cd "$(dirname "$0")"
cache=$1
script=test-login
. ../cluster/go.sh

stamp=$(cat build.sh ../cluster/go.sh programs/* | sha256sum)
[ "$(cat "$cache/bin/login/built.txt" 2>/dev/null)" != "$stamp" ] || exit 0
use_go
rm -rf "$cache/build/login" "$cache/bin/login"
mkdir -p "$cache/build" "$cache/bin/login"
cp -r programs "$cache/build/login"
cd "$cache/build/login"
compile login/providers . ""
compile login/oauth2-proxy github.com/oauth2-proxy/oauth2-proxy/v7 ""
cp -r "$(go list -m -f '{{.Dir}}' github.com/dexidp/dex)/web" "$cache/bin/login/web"
chmod -R u+w "$cache/bin/login/web"
echo "$stamp" >"$cache/bin/login/built.txt"
