#!/bin/bash
#port 9466
#req req-D-ES256-again.txt
# the same few tokens again and again
. "$(dirname "$0")/common.sh"; NAME=D-ours-ES256; . "$ROOT/gw/ours.sh"
ours --gateway 9466
