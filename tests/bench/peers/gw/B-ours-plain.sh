#!/bin/bash
#port 9262
#req -
# our scenario A inside the rounds of B, for the ratio B / A
. "$(dirname "$0")/common.sh"; NAME=A-ours; RUN=$ROOT/run/B-ours-plain; mkdir -p "$RUN"; . "$ROOT/gw/ours.sh"
ours --gateway 9262
