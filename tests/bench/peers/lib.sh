# helpers shared by run.sh, mem.sh, syscalls.sh, latency.sh
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd); cd "$ROOT"; mkdir -p build data run results; ulimit -n 20000 2>/dev/null
GWCPU=${GWCPU:-0}; LOADCPU=${LOADCPU:-1}; declare -A PIDOF; ORIGIN_PID=
build() {
  local s; for s in origin idle; do [ build/$s -nt src/$s.c ] || gcc -O2 -w -o build/$s src/$s.c -lpthread || exit 1; done
  for s in floor gen; do [ build/$s -nt src/$s.c ] || gcc -O2 -w -o build/$s src/$s.c -lcrypto || exit 1; done
  # 100,000 JWTs of each kind: more than a cache of verified tokens holds, so
  # that each is seen as for the first time when they come round again
  [ "$(cat data/jwt-ES256.txt 2>/dev/null | wc -l)" -ge 100000 ] || build/gen data 100000 100000
  for s in HS256 RS256 ES256; do awk -v RS='%%\n' -v ORS='%%\n' 'NR > 1000 { exit } { print }' data/req-D-$s.txt > data/req-D-$s-again.txt; done
}
port() { sed -n 's/^#port //p' gw/$1.sh; }
req() { sed -n 's/^#req //p' gw/$1.sh; }
tree() { local p=$1 c; echo $p; for c in $(pgrep -P $p); do tree $c; done; }
# utime and stime ticks summed over a process tree
ticks() { local t=($(tree $1)); local f=(); local p; for p in "${t[@]}"; do f+=(/proc/$p/stat); done; awk '{sub(/.*\) /,""); u+=$12; s+=$13} END{print u+0, s+0}' "${f[@]}" 2>/dev/null; }
up() { # wait for a listening port
  local i; for i in $(seq 300); do (exec 3<>/dev/tcp/127.0.0.1/$1) 2>/dev/null && return 0; sleep 0.1; done; return 1; }
start_origin() { taskset -c ${ORIGINCPU:-$LOADCPU} build/origin 9000 1 & ORIGIN_PID=$!; up 9000; }
start() { # start NAME: pinned to the gateway core
  taskset -c $GWCPU setsid gw/$1.sh > run/$1.log 2>&1 & PIDOF[$1]=$!; up $(port $1) || { echo "FAILED to start $1: $(tail -3 run/$1.log)" >&2; stop $1; return 1; }; }
stop() { local p=${PIDOF[$1]}; [ -n "$p" ] && kill $(tree $p) 2>/dev/null; wait $p 2>/dev/null; unset PIDOF[$1]; }
stop_all() { local g; for g in "${!PIDOF[@]}"; do stop $g; done; [ -n "$ORIGIN_PID" ] && kill $ORIGIN_PID 2>/dev/null; }
trap stop_all EXIT
