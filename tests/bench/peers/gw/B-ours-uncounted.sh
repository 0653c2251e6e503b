#!/bin/bash
#port 9264
#req req-B.txt
# B without analytics and traces: what they cost is the difference
. "$(dirname "$0")/common.sh"; . "$ROOT/gw/ours.sh"
ours --gateway 9264 --analytics-days 0 --traces 0
