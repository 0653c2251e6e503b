#!/bin/sh
# build.sh DIRECTORY MESON_OPTION...
# Sets DIRECTORY up when it is not, compiles, and is quiet unless it fails.
set -eu
directory=$1
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
stop() {
    cat "$log" >&2
    echo "build: $1 of $directory failed" >&2
    exit 1
}
# A directory with other options, or left half made, is made anew.
if ! [ -f "$directory/build.ninja" ] ||
    [ "$(cat "$directory/.options" 2>/dev/null)" != "${CC:-} $*" ]; then
    rm -rf "$directory"
    meson setup "$directory" -Dwerror=false "$@" >"$log" 2>&1 ||
        stop set-up
    echo "${CC:-} $*" >"$directory/.options"
fi
[ -e "$directory/typeauth" ] || echo "build: $directory" >&2
ninja -C "$directory" ${JOBS:+-j "$JOBS"} >"$log" 2>&1 || stop "compiling"
