#!/bin/bash
#port 9161
#req -
. "$(dirname "$0")/common.sh"; . "$ROOT/gw/ours.sh"
ours --gateway 9161
