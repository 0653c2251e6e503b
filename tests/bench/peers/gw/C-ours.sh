#!/bin/bash
#port 9371
#req req-C-ours.txt
. "$(dirname "$0")/common.sh"; . "$ROOT/gw/ours.sh"
ours --verify 9371
