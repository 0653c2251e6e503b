#!/bin/bash
#port 9467
#req req-B.txt
# our scenario B inside the rounds of D, for the ratio of a repeated JWT to it
. "$(dirname "$0")/common.sh"; NAME=B-ours; RUN=$ROOT/run/D-ours-token; mkdir -p "$RUN"; . "$ROOT/gw/ours.sh"
ours --gateway 9467
