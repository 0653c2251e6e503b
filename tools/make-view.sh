#!/bin/sh
# make-view.sh SRC VIEW FOLDER...
# Makes VIEW hold one link for each FOLDER of SRC, and nothing else.
set -eu
src=$1 view=$2
shift 2
rm -rf "$view"
mkdir -p "$view"
for folder in "$@"; do
    ln -s "$src/$folder" "$view/$folder"
done
