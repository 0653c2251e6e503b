#!/bin/bash
#port 9461
#req req-D-HS256.txt
. "$(dirname "$0")/common.sh"; . "$ROOT/gw/ours.sh"
ours --gateway 9461
