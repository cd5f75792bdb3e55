# Builds programs of Go's modules for tests. Scripts source it in a folder with programs/go.mod, and set script (their name for
# messages) and cache: programs go to $cache/bin, Go's own caches to $cache/go.
# Environment: CALOPIPE_GO_JOBS: packages that Go compiles at a time (default: one per processor)

fail() { echo "$script: $*" >&2; exit 4; }

find_go() {
  [ -x /usr/local/go/bin/go ] && PATH=$PATH:/usr/local/go/bin
  command -v go >/dev/null || fail "there is no Go: install $(go_wanted) or later (https://go.dev/dl)"
  local have
  have=$(GOTOOLCHAIN=local go env GOVERSION)
  printf '%s\n' "$(go_wanted)" "$have" | sort -CV || fail "$have is too old: install $(go_wanted) or later (https://go.dev/dl)"
}
go_wanted() { sed -n 's/^go /go/p' programs/go.mod; }

use_go() {
  find_go
  # Nothing of this machine's own settings and caches is used or changed.
  export GOENV=off GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS="-mod=mod -modcacherw -trimpath -buildvcs=false -p=${CALOPIPE_GO_JOBS:-$(nproc)}"
  export GOPATH=$cache/go GOMODCACHE=$cache/go/mod GOCACHE=$cache/go/build
}

# compile PROGRAM PACKAGE FLAGS
compile() {
  local start=$SECONDS
  echo "$script: building $1"
  go build -ldflags "-s -w $3" -o "$cache/bin/$1.partial" "$2"
  mv "$cache/bin/$1.partial" "$cache/bin/$1"
  echo "$script: built $1 in $((SECONDS - start)) s"
}
