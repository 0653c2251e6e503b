#!/bin/bash
# PSS of the server without tokens, with 100,000 and with a million; start-up
# time with a million; user memory of an idle keep-alive connection, plain and
# TLS.
#   memory.sh TYPEAUTH SCRATCH [fill]   prints "name value unit" lines; fill:
#   only fills the stores, which are kept in SCRATCH
set -eu
typeauth=$1 scratch=$2 only=${3:-}; here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$scratch"; ulimit -n 20000
pss() { awk '/^Pss:/{print $2}' "/proc/$1/smaps_rollup"; }
now() { date +%s%N; }
listens() { sed -n "s/.* $1=\(https\{0,1\}:\/\/\)\{0,1\}\([0-9.:]*\).*/\2/p" "$scratch/out"; }
begin() { # DATA [OPTION...]: starts the server, sets pid, gateway and tls
  t0=$(now); rm -f "$scratch/out"
  env -u SSL_CERT_FILE "$typeauth" serve --data "$1" --workers 1 --api 127.0.0.1:0 --gateway 127.0.0.1:0 "${@:2}" >"$scratch/out" 2>"$scratch/err" & pid=$!
  until grep -q '^listening' "$scratch/out"; do kill -0 "$pid" || { cat "$scratch/err" >&2; exit 1; }; sleep 0.01; done
  t1=$(now); gateway=$(listens gateway); tls=$(listens gateway-tls)
}
idle() { # CLIENT PORT N NAME: what a connection adds
  local before after client; before=$(pss "$pid"); rm -f "$scratch/idle.out"
  "$1" "$2" "$3" >"$scratch/idle.out" 2>/dev/null & client=$!
  until grep -qs ready "$scratch/idle.out"; do sleep 0.1; done; sleep 1
  grep -q "ready $3\$" "$scratch/idle.out" || { echo "memory: only $(cat "$scratch/idle.out") of $3" >&2; exit 1; }
  after=$(pss "$pid"); kill "$client"; wait "$client" || true
  echo "$4 $(awk -v a="$after" -v b="$before" -v n="$3" 'BEGIN{printf "%.2f", (a-b)/n}') KiB"
}
end() { kill "$pid"; wait "$pid" || true; }
[ -s "$scratch/cert.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
  -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout "$scratch/key.pem" -out "$scratch/cert.pem" 2>/dev/null
[ -x "$scratch/idle_tls" ] || gcc -O2 -w -o "$scratch/idle_tls" "$here/idle_tls.c" -lssl -lcrypto
[ -x "$scratch/idle" ] || gcc -O2 -w -o "$scratch/idle" "$here/peers/src/idle.c"

for n in 0 100000 1000000; do
  data=$scratch/tokens-$n
  [ -s "$data/filled" ] || { rm -rf "$data"; node "$here/fill.mjs" "$typeauth" "$data" "$n"; touch "$data/filled"; }
  [ "$only" != fill ] || continue
  begin "$data"; echo "startup_$n $(((t1 - t0) / 1000000)) ms"
  sleep 1
  if [ "$n" = 0 ]; then
    wrk -t1 -c16 -d2s "http://$gateway/" >/dev/null; sleep 1
    echo "pss_0 $(pss "$pid") KiB"
    idle "$scratch/idle" "${gateway##*:}" 9000 idle_connection
    end
    begin "$data" --gateway-tls 127.0.0.1:0 --certificate "$scratch/cert.pem,$scratch/key.pem"
    wrk -t1 -c16 -d2s "https://$tls/" >/dev/null; sleep 1
    idle "$scratch/idle_tls" "${tls##*:}" 4000 idle_connection_tls
  fi
  [ "$n" = 0 ] || echo "pss_$n $(pss "$pid") KiB"
  end
done
