#!/usr/bin/env bash
# Tests calopipe's logins with Dex, oauth2-proxy and the provider of zitadel/oidc (doc/cluster-tests.md).
# Usage: test-login.sh [TEST …]    tests as unittest names them, for example Dex or Proxy.test_without_a_login; default: all
# Environment: CALOPIPE_CLUSTER_CACHE (default: ~/.cache/calopipe/cluster): programs, and caches of Go;
# CALOPIPE: the program that is tested (default: build/release/bin/calopipe).
# Exit codes: 0 the tests pass, 1 a test fails, 4 the programs cannot be built here.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${CALOPIPE_CLUSTER_CACHE:-$HOME/.cache/calopipe/cluster}
export CALOPIPE=${CALOPIPE:-$PWD/build/release/bin/calopipe}
test/login/build.sh "$cache"
scripts/test-peers.sh
[ -x "$CALOPIPE" ] || scripts/build.sh release -- calopipe
export CALOPIPE_LOGIN_PROGRAMS=$cache/bin/login CALOPIPE_PYTHON=$PWD/build/test-venv/bin/python PYTHONDONTWRITEBYTECODE=1
exec "$CALOPIPE_PYTHON" test/login/login_test.py "$CALOPIPE" "$@"
