# For tests of the program itself: a folder, a store of runs, and checks that count their failures.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CALOPIPE_STORE=$work/store
failures=0

# check NAME EXPECTED-EXIT-CODE PATTERN COMMAND…: exit code, and a pattern in what is printed
check() {
  local name=$1 code=$2 pattern=$3; shift 3
  local output status
  output=$("$@" 2>&1); status=$?
  if [ $status -ne "$code" ] || ! grep -qE -- "$pattern" <<<"$output"; then
    echo "FAILED: $name: exit code $status, expected $code; expected to see: $pattern"; echo "$output" | tail -n 5
    failures=$((failures + 1))
  fi
}
