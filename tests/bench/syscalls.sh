#!/bin/bash
# System calls a proxied request, 64 connections with a backlog (scenario A):
# counted by strace for a bounded number of requests. Prints one number.
set -eu
here=$(cd "$(dirname "$0")" && pwd); export TYPEAUTH=$1
cd "$here/peers"; . ./lib.sh >/dev/null; build >&2
ORIGINCPU=0 start_origin >&2; start A-ours >&2
out=run/syscalls.txt
strace -f -c -U calls,name -o $out -p "$(pgrep -f "serve --data $here/peers/run/A-ours/data" | head -1)" 2>/dev/null & tracer=$!
sleep 0.5
wrk -t1 -c64 -d3s -s wrk/rotate.lua http://127.0.0.1:9161/ >run/wrk.txt
kill -INT $tracer; wait $tracer 2>/dev/null || true
requests=$(sed -n 's/.*requests=\([0-9]*\).*/\1/p' run/wrk.txt)
awk -v n="$requests" '$2=="total"{printf "%.2f\n", $1/n}' $out
