#!/bin/bash
#port 9263
#req req-B-guarded.txt
# B with 100,000 networks, geoblock, ten rules, a limit an address, disposable
# mail, GeoSentry and anomaly detection on (tests/bench/guard.mjs), which have
# room for each of the 100,000 tokens
. "$(dirname "$0")/common.sh"; . "$ROOT/gw/ours.sh"
ours --gateway 9263 --trusted-proxies 127.0.0.0/8 --tracked-max 131072
