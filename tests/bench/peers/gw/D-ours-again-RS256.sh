#!/bin/bash
#port 9465
#req req-D-RS256-again.txt
# the same few tokens again and again
. "$(dirname "$0")/common.sh"; NAME=D-ours-RS256; . "$ROOT/gw/ours.sh"
ours --gateway 9465
