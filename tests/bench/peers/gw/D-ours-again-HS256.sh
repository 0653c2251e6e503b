#!/bin/bash
#port 9464
#req req-D-HS256-again.txt
# the same few tokens again and again
. "$(dirname "$0")/common.sh"; NAME=D-ours-HS256; . "$ROOT/gw/ours.sh"
ours --gateway 9464
