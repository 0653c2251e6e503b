#!/bin/bash
# PSS of the server without tokens, with 100,000 and with a million; start-up
# time with a million; user memory of an idle keep-alive connection.
#   memory.sh TYPEAUTH SCRATCH [fill]   prints "name value unit" lines; fill:
#   only fills the stores, which are kept in SCRATCH
set -eu
typeauth=$1 scratch=$2 only=${3:-}; here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$scratch"; ulimit -n 20000
pss() { awk '/^Pss:/{print $2}' "/proc/$1/smaps_rollup"; }
now() { date +%s%N; }
begin() { # DATA: starts the server, sets pid and gateway
  t0=$(now); rm -f "$scratch/out"
  env -u SSL_CERT_FILE "$typeauth" serve --data "$1" --workers 1 --api 127.0.0.1:0 --gateway 127.0.0.1:0 >"$scratch/out" 2>"$scratch/err" & pid=$!
  until grep -q '^listening' "$scratch/out"; do kill -0 "$pid" || { cat "$scratch/err" >&2; exit 1; }; sleep 0.01; done
  t1=$(now); gateway=$(sed -n 's/.*gateway=\(http:\/\/\)\{0,1\}\([0-9.:]*\).*/\2/p' "$scratch/out")
}
end() { kill "$pid"; wait "$pid" || true; }
[ -x "$scratch/idle" ] || gcc -O2 -w -o "$scratch/idle" "$here/peers/src/idle.c"

for n in 0 100000 1000000; do
  data=$scratch/tokens-$n
  [ -s "$data/filled" ] || { rm -rf "$data"; node "$here/fill.mjs" "$typeauth" "$data" "$n"; touch "$data/filled"; }
  [ "$only" != fill ] || continue
  begin "$data"; echo "startup_$n $(((t1 - t0) / 1000000)) ms"
  sleep 1
  if [ "$n" = 0 ]; then
    wrk -t1 -c16 -d2s "http://$gateway/" >/dev/null; sleep 1
    before=$(pss "$pid"); echo "pss_0 $before KiB"; "$scratch/idle" "${gateway##*:}" 9000 >"$scratch/idle.out" 2>/dev/null & idle=$!
    until grep -q ready "$scratch/idle.out"; do sleep 0.1; done; sleep 1
    after=$(pss "$pid"); kill "$idle"
    echo "idle_connection $(awk -v a="$after" -v b="$before" 'BEGIN{printf "%.2f", (a-b)/9000}') KiB"
  fi
  [ "$n" = 0 ] || echo "pss_$n $(pss "$pid") KiB"
  end
done
