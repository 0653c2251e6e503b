#!/bin/sh
# What a new user does, without looking: inside the minimal Debian.
set -eu
cd "$(dirname "$0")/../.."
log=/root/run.log

echo "fresh: ./run"
./run --data /root/data --api 127.0.0.1:0 --gateway 127.0.0.1:0 \
    >"$log" 2>&1 &
runner=$!
waited=0
until api=$(sed -n 's/^ *management API *//p' "$log") && [ -n "$api" ]; do
    waited=$((waited + 1))
    if [ "$waited" -gt 1800 ] || ! kill -0 "$runner" 2>/dev/null; then
        cat "$log"
        echo "fresh: ./run did not start the server" >&2
        exit 1
    fi
    sleep 1
done
cat "$log"
curl --fail --silent --show-error "$api/healthz"
echo
kill -TERM "$runner"
wait "$runner"
echo "fresh: ./run came up after $waited s, answered and stopped"

echo "fresh: ./test $FRESH_PARTS"
# shellcheck disable=SC2086
./test $FRESH_PARTS
