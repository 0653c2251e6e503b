#!/bin/bash
# The benchmark: A and B in the layout with a backlog, C and D with a core of
# their own, memory, start-up and system calls. Writes docs/performance.md.
#   run.sh [TYPEAUTH]     ROUNDS=15 SECONDS_A_ROUND=1
# Everything stays on loopback and is bounded in time (about 20 minutes).
set -eu
here=$(cd "$(dirname "$0")" && pwd); top=$(cd "$here/../.." && pwd)
export TYPEAUTH=${1:-$top/build-release/typeauth}
ROUNDS=${ROUNDS:-15} DUR=${SECONDS_A_ROUND:-1}
for tool in wrk nginx haproxy redis-server redis-benchmark; do
  command -v $tool >/dev/null || [ -x /usr/sbin/$tool ] || { echo "bench: $tool is missing (apt-get install wrk nginx haproxy redis-server)" >&2; exit 2; }
done
cd "$here/peers"
rm -f results/raw-sat.tsv results/raw-split.tsv; rm -rf run/*-ours*
ORIGINCPU=0 TAG=sat DUR=$DUR REPS=$ROUNDS ONLY='floor|nginx|haproxy-sha|haproxy$|ours' ./run.sh A B >/dev/null
TAG=split DUR=$DUR REPS=$ROUNDS ONLY='floor|haproxy|redis|ours' ./run.sh C D >/dev/null
"$here/memory.sh" "$TYPEAUTH" "$here/peers/run/memory" >results/memory.txt
"$here/syscalls.sh" "$TYPEAUTH" >results/syscalls.txt
machine="$(nproc) CPUs, $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), Linux $(uname -r), $(. /etc/os-release; echo "$PRETTY_NAME")"
status=0
node "$here/report.mjs" results/raw-sat.tsv results/raw-split.tsv results/memory.txt results/syscalls.txt "$machine" >results/performance.md || status=1
cp results/performance.md "$top/docs/performance.md"
cat results/performance.md
exit $status
