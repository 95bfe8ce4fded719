#!/bin/bash
# Builds and runs every test; ends with "N passed, N failed".
#
#   sudo ./test.sh [--all] [--only LAYER]...
#
# Layers: unit guest asan hostile lifecycle docker podman. --all adds what takes long. Each layer appends
# "PASS name", "FAIL name" or "SKIP name: why" lines to one file, which is counted at the end.
set -u
cd "$(dirname "$0")" || exit 1
[ "$(id -u)" = 0 ] || { echo "test.sh: run it as root: sudo ./test.sh" >&2; exit 1; }
. scripts/packages.sh

all=0
only=""
while [ $# -gt 0 ]; do
  case "$1" in
    --all) all=1 ;;
    --only) only="$only ${2:?--only needs a layer}"; shift ;;
    *) echo "usage: test.sh [--all] [--only LAYER]..." >&2; exit 2 ;;
  esac
  shift
done
wanted() {
  [ -z "$only" ] && return 0
  case " $only " in *" $1 "*) return 0 ;; esac
  return 1
}

# shellcheck disable=SC2086
install_packages $build_packages $test_packages || { echo "0 passed, 1 failed"; exit 1; }

work=$(mktemp -d /tmp/runsc-notify-test.XXXXXX)
trap 'rm -rf "$work"' EXIT
results=$work/results
: >"$results"
fail() { echo "FAIL $1"; echo "FAIL $1" >>"$results"; }
pass() { echo "PASS $1" >>"$results"; }

build() { # build PRESET DIR: the whole tree, warnings are errors
  if cmake --preset "$1" >"$work/cmake.log" 2>&1 && cmake --build "$2" >>"$work/cmake.log" 2>&1; then
    pass "build $1"
  else
    fail "build $1"
    tail -n 40 "$work/cmake.log"
    return 1
  fi
}

run_unit() { # run_unit DIR LABEL: a Check program says how many of its checks failed
  for t in "$1"/tests/unit/test_*; do
    [ -x "$t" ] && [ -f "$t" ] || continue
    name=$(basename "$t")
    timeout 120 "$t" >"$work/unit.log" 2>&1 </dev/null
    rc=$?
    line=$(grep -E '^[0-9]+%: Checks: ' "$work/unit.log" | tail -n 1)
    checks=$(echo "$line" | sed -n 's/.*Checks: \([0-9]*\).*/\1/p')
    bad=$(echo "$line" | sed -n 's/.*Failures: \([0-9]*\), Errors: \([0-9]*\).*/\1+\2/p')
    if [ -z "$checks" ] || [ "$rc" -ne 0 -a $((bad)) -eq 0 ]; then
      fail "$2 $name"
      tail -n 20 "$work/unit.log"
      continue
    fi
    for _ in $(seq $((checks - bad))); do pass "$2 $name"; done
    grep -E ':[FE]:' "$work/unit.log" | while IFS= read -r l; do fail "$2 $name: $l"; done
  done
}

layer() { # layer NAME COMMAND...: a runner of its own that takes --results FILE
  name=$1
  shift
  echo "== $name"
  before=$(wc -l <"$results")
  "$@" --results "$results"
  [ "$(wc -l <"$results")" -gt "$before" ] || fail "$name: its runner reported nothing"
}

if ! build release build; then
  echo "0 passed, 1 failed"
  exit 1
fi
extra=""
[ $all = 1 ] && extra="--all"

wanted unit && { echo "== unit"; run_unit build unit; }
wanted guest && layer guest python3 tests/guest/run.py --build build --layer guest
if wanted asan && build asan build-asan; then
  echo "== unit under ASan"
  run_unit build-asan unit-asan
  layer asan python3 tests/guest/run.py --build build-asan --guest-dir build/tests/guest --layer asan --timeout 60
fi
# shellcheck disable=SC2086
for l in hostile lifecycle docker podman; do
  wanted $l && [ -e "tests/e2e/$l.py" -o -e "tests/hostile/run.py" ] || continue
  if [ $l = hostile ]; then
    [ -e tests/hostile/run.py ] && layer hostile python3 tests/hostile/run.py --build build $extra
  elif [ -e "tests/e2e/$l.py" ]; then
    layer $l python3 "tests/e2e/$l.py" --runtime build/runsc-notify $extra
  fi
done

grep '^SKIP' "$results"
failed=$(grep -c '^FAIL' "$results")
if [ "$failed" -gt 0 ]; then
  echo "Failed:"
  grep '^FAIL' "$results" | cut -c1-160
fi
echo "$(grep -c '^PASS' "$results") passed, $failed failed"
[ "$failed" -eq 0 ]
