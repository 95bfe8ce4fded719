#!/bin/bash
# Every test:  sudo ./test.sh [--all] [--only LAYER]... [--runtime runc] [-v]
#   --all          the long ones too
#   --only LAYER   one of: unit guest guest-asan hostile cpython net docker network netsetup programs stress podman lifecycle leaks net-hostile docs
# Each failed test is shown with what it printed; what was skipped is listed with the reason. Ends with the plain line
# `N passed, N failed`; exit status 1 if anything failed.
set -u
cd "$(dirname "$(readlink -f "$0")")" || exit 1
layers=() all= verbose=
while [ $# -gt 0 ]; do
  case $1 in
  --all) all=--all ;;
  --only) layers+=("$2") && shift ;;
  --only=*) layers+=("${1#--only=}") ;;
  -v) verbose=-v ;;
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0" && exit 0 ;;
  *) echo "test.sh: unknown option $1" >&2 && exit 2 ;;
  esac
  shift
done
[ ${#layers[@]} -gt 0 ] || layers=(unit guest cpython hostile lifecycle leaks net-hostile net docker network netsetup programs stress podman docs guest-asan)
if [ "$(id -u)" != 0 ]; then
  exec sudo -E "$0" $all $verbose "${layers[@]/#/--only=}"
fi
export PATH=$PATH:/usr/sbin:/sbin PYTHONDONTWRITEBYTECODE=1
# Debian's python, not one that a version manager put in front.
[ -x /usr/bin/python3 ] && export PATH=/usr/bin:$PATH

. scripts/packages.sh
results=$(mktemp /tmp/runsc-notify-results.XXXXXX)
trap 'rm -f "$results"' EXIT
began=$SECONDS
stage() { printf '\n== %s (%d s)\n' "$1" $((SECONDS - began)); }
verdict() { echo "$*" >>"$results"; } # PASS|FAIL|SKIP LAYER NAME [REASON]
wants() { local l; for l in "${layers[@]}"; do [ "$l" = "$1" ] && return 0; done; return 1; }

stage packages
packages "${test_packages[@]}" || verdict FAIL set-up packages

build() { # PRESET DIR TARGET...
  local preset=$1 dir=$2 log=/tmp/runsc-notify-build-$1.log
  shift 2
  stage "build: $preset"
  if cmake --preset "$preset" >"$log" 2>&1 && ninja -C "$dir" "$@" >>"$log" 2>&1; then
    verdict PASS build "$preset"
  else
    grep -E 'error|FAILED|warning:' "$log" | head -n 30
    tail -n 15 "$log"
    verdict FAIL build "$preset"
    return 1
  fi
}

# A layer that hangs as a whole is ended as a whole; its tests have limits of their own.
limit() { timeout -k 30 "$@"; }

# Layers -------------------------------------------------------------------------------------------------------------
run_unit() {
  local t name out=/tmp/runsc-notify-unit.out rc
  for t in build-asan/tests/unit/test_*; do
    [ -x "$t" ] && [ ! -d "$t" ] || continue
    name=$(basename "$t")
    CK_DEFAULT_TIMEOUT=60 ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0 timeout -k 5 "${UNIT_TIMEOUT:-120}" "$t" >"$out" 2>&1 </dev/null
    rc=$?
    if [ $rc -eq 0 ]; then
      verdict PASS unit "$name"
    else
      echo "FAIL $name (exit status $rc):"
      tail -n 25 "$out" | sed 's/^/    /'
      verdict FAIL unit "$name"
    fi
  done
  return 0
}
run_guest() { limit 1200 tests/guest/run.py --results "$results" $verbose; }
run_guest_asan() {
  # The Sentry and the gofer with ASan and UBSan; the guests are the same.
  ASAN_OPTIONS=detect_leaks=0:abort_on_error=1:detect_stack_use_after_return=0 UBSAN_OPTIONS=print_stacktrace=1 \
    limit 1500 tests/guest/run.py --layer guest-asan --results "$results" --guest-dir build/tests/guest --timeout 40 \
    --runtime "build-asan/runsc-notify do --" $verbose
}
run_hostile() { limit 900 tests/hostile/run.py --results "$results" $all $verbose; }
run_cpython() { limit 2400 tests/cpython/run.py --results "$results" $all $verbose; }
run_docker() { limit 1800 tests/e2e/docker_test.py --results "$results" $all $verbose; }
run_net() {
  limit 1800 tests/net/net_test.py --results "$results" $all $verbose
  local status=$?
  limit 600 tests/net/devices_test.py --results "$results" $all $verbose && return $status
}
run_netsetup() { limit 1800 tests/e2e/netsetup_test.py --results "$results" $all $verbose; }
run_network() { limit 3600 tests/e2e/network_test.py --results "$results" $all $verbose; }
run_programs() { limit 3600 tests/e2e/programs_test.py --results "$results" $all $verbose; }
run_stress() { limit 3600 tests/e2e/stress_test.py --results "$results" $all $verbose; }
run_podman() { limit 900 tests/e2e/podman_test.py --results "$results" $all $verbose; }
run_lifecycle() { limit 1200 tests/e2e/lifecycle_test.py --results "$results" $all $verbose; }
run_net_hostile() { limit 900 tests/net/hostile_test.py --results "$results" $all $verbose; }
run_leaks() { limit 600 tests/leaks/leak_test.py --results "$results" $all $verbose; }
run_docs() {
  if build/runsc-notify syscalls --format markdown | diff -q - docs/syscalls.md >/dev/null; then
    verdict PASS docs syscalls.md
  else
    echo "FAIL docs/syscalls.md is not what \`runsc-notify syscalls --format markdown\` prints: run scripts/docs.sh"
    verdict FAIL docs syscalls.md
  fi
  local wrong
  wrong=$(scripts/check-includes.sh)
  if [ -z "$wrong" ]; then
    verdict PASS docs includes-point-down
  else
    echo "FAIL includes that point up:"
    echo "$wrong" | sed 's/^/    /'
    verdict FAIL docs includes-point-down
  fi
  return 0
}

needs_release=
for l in guest guest-asan hostile cpython lifecycle leaks net-hostile net docker network netsetup programs stress podman docs; do wants $l && needs_release=1; done
release_ok=1
[ -z "$needs_release" ] || build release build runsc-notify guest hostile leaks || release_ok=
if wants unit || wants guest-asan; then
  build asan build-asan runsc-notify $(wants unit && echo unit)
fi
for l in "${layers[@]}"; do
  stage "$l"
  if [ "$l" != unit ] && [ -z "$release_ok" ]; then
    verdict FAIL "$l" not-built
    continue
  fi
  case $l in
  unit | guest | hostile | cpython | net | docker | network | netsetup | programs | stress | podman | lifecycle | leaks | net-hostile | docs | guest-asan) ;;
  *) echo "no such layer: $l" >&2 && verdict FAIL "$l" unknown && continue ;;
  esac
  before=$(wc -l <"$results")
  fn=run_${l//-/_}
  $fn
  rc=$?
  # A layer that failed as a whole must not pass silently.
  if [ "$(wc -l <"$results")" = "$before" ] || { [ $rc -ne 0 ] && ! tail -n +$((before + 1)) "$results" | grep -q ^FAIL; }; then
    verdict FAIL "$l" "layer-exit-status-$rc"
  fi
done

stage summary
grep ^SKIP "$results" | sed 's/^SKIP/skipped:/'
failed=$(grep -c ^FAIL "$results")
[ "$failed" = 0 ] || { echo "failed:" && grep ^FAIL "$results" | awk '{print "  " $2 ": " $3}'; }
echo "$(grep -c ^PASS "$results") passed, $failed failed"
[ "$failed" = 0 ]
