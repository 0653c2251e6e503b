#!/bin/bash
#port 9463
#req req-D-ES256.txt
. "$(dirname "$0")/common.sh"; . "$ROOT/gw/ours.sh"
ours --gateway 9463
