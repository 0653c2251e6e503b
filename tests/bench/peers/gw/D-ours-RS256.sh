#!/bin/bash
#port 9462
#req req-D-RS256.txt
. "$(dirname "$0")/common.sh"; . "$ROOT/gw/ours.sh"
ours --gateway 9462
