#!/bin/bash
# The benchmark: A and B in the layout with a backlog, C and D with a core of
# their own, memory, start-up and system calls. Writes docs/performance.md.
#   run.sh [PART...]      TYPEAUTH=build-release/typeauth ROUNDS=15 SECONDS_A_ROUND=1
# Parts: prepare (data, keys, filled stores: needs no quiet machine) A B C
# D-HS256 D-RS256 D-ES256 memory syscalls report schema monitor-plain monitor-tls
# monitor-name. Each takes at most three
# minutes and replaces what it measured before; report writes the page from
# what is there and needs all of them, schema and monitors add
# their sections to it. Without a part: all, about 20 minutes.
# Everything stays on loopback and is bounded in time.
set -eu
here=$(cd "$(dirname "$0")" && pwd); top=$(cd "$here/../.." && pwd)
export TYPEAUTH=${TYPEAUTH:-$top/build-release/typeauth}
ROUNDS=${ROUNDS:-15} DUR=${SECONDS_A_ROUND:-1}
for tool in wrk nginx haproxy redis-server redis-benchmark strace; do
  command -v $tool >/dev/null || [ -x /usr/sbin/$tool ] || { echo "bench: $tool is missing (apt-get install wrk nginx haproxy redis-server strace)" >&2; exit 2; }
done
cd "$here/peers"
mkdir -p results

# One interleaved run: rounds SCENARIO PART ORIGINCPU REGEX
rounds() {
  rm -f "results/raw-$2.tsv"
  ORIGINCPU=$3 TAG=$2 DUR=$DUR REPS=$ROUNDS ONLY=$4 ./run.sh "$1" >/dev/null
}
prepare() { # what the program was asked to make may differ from version to version
  rm -rf run/*-ours* run/memory
  (cd "$top/tests/e2e"; [ -d node_modules ] || npm ci --no-audit --no-fund --loglevel=error >/dev/null
    node_modules/.bin/tsc) # guard.mjs writes location data by its harness
  bash -c '. ./lib.sh; build; start_origin
    for f in gw/*-ours*.sh; do n=$(basename $f .sh); start $n && stop $n; done'
  "$here/memory.sh" "$TYPEAUTH" "$here/peers/run/memory" fill
}
report() {
  local machine
  machine="$(nproc) CPUs, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), Linux $(uname -r), $(. /etc/os-release; echo "$PRETTY_NAME")"
  node "$here/report.mjs" results "$machine" >results/performance.md || status=1
  cp results/performance.md "$top/docs/performance.md"
  cat results/performance.md
}

status=0
[ $# -gt 0 ] || set -- prepare A B C D-HS256 D-RS256 D-ES256 memory syscalls report schema monitor-plain monitor-tls monitor-name
for part in "$@"; do
  case $part in
  prepare | report) $part ;;
  A) rounds A A 0 '.' ;;
  B) rounds B B 0 '.' ;;
  C) rounds C C 1 '.' ;;
  # What a ratio compares stands side by side: the machine changes within seconds.
  D-*) rounds D "$part" 1 "(haproxy|ours|again)-${part#D-}|token" ;;
  memory) "$here/memory.sh" "$TYPEAUTH" "$here/peers/run/memory" >results/memory.txt ;;
  syscalls) "$here/syscalls.sh" "$TYPEAUTH" >results/syscalls.txt ;;
  schema)
    # build-release is made without tests, of which this is one
    [ -d "$top/build-bench" ] || meson setup "$top/build-bench" "$top" -Dwerror=false >/dev/null
    meson compile -C "$top/build-bench" micro_schema >/dev/null
    node "$here/schema.mjs" "$top/build-bench/tests/bench/micro_schema" "$top/docs/performance.md" || status=1 ;;
  monitor-*) node "$here/monitor.mjs" "$TYPEAUTH" "$top/docs/performance.md" "${part#monitor-}" || status=1 ;;
  *) echo "bench: no part $part" >&2; exit 2 ;;
  esac
done
exit $status
