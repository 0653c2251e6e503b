#!/bin/bash
#port 9261
#req req-B.txt
. "$(dirname "$0")/common.sh"; . "$ROOT/gw/ours.sh"
ours --gateway 9261
