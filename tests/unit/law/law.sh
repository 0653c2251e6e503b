#!/bin/sh
# The dependency law, seen from outside the build.
#   law.sh SRC VIEW CC...
set -u
src=$1 view=$2
shift 2
number=0
failed=0

# ok NAME COMMAND...: one TAP line
ok() {
    claim=$1
    shift
    number=$((number + 1))
    if "$@"; then
        echo "ok $number - $claim"
    else
        echo "not ok $number - $claim"
        failed=1
    fi
}

# compiles FOLDER TEXT: does a file of FOLDER with this text compile?
compiles() {
    folder=$1
    printf '%s\n' "$2" | "$compiler" -std=gnu17 -D_GNU_SOURCE -Wall -Wextra \
        -Wpedantic -Werror -fsyntax-only -I"$view/$folder" -x c -
}

fails_to_compile() {
    ! compiles "$1" "$2" 2>/dev/null
}

each_header_compiles_alone() {
    result=0
    for header in "$src"/*/*.h; do
        [ -e "$header" ] || continue
        name=${header#"$src"/}
        compiles "${name%%/*}" "#include \"$name\"
extern int not_empty;" || { echo "# $name"; result=1; }
    done
    return $result
}

no_include_leaves_its_folder() {
    ! grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<](\.|src/|/)' \
        "$src"/*/*.[ch]
}

# An include of a project header names its folder: "x.h" would be found beside
# the file whatever the view says.
each_include_names_its_folder() {
    ! grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^/"]*"' \
        "$src"/*/*.[ch]
}

internal_headers_stay_at_home() {
    result=0
    for file in "$src"/*/*.[ch]; do
        [ -e "$file" ] || continue
        folder=${file#"$src"/}
        folder=${folder%%/*}
        grep -nE 'include "[a-z]+/[a-z0-9_]+_int\.h"' "$file" |
            grep -v "\"$folder/" && result=1
    done
    return $result
}

# Whatever FOLDER may not use cannot be included from it: tried with a header
# of each such folder.
forbidden_includes_fail() {
    result=0
    for folder in $(ls "$view"); do
        for other in $(ls "$src"); do
            [ -e "$view/$folder/$other" ] && continue
            for header in "$src/$other"/*.h; do
                [ -e "$header" ] || continue
                fails_to_compile "$folder" \
                    "#include \"$other/${header##*/}\"" ||
                    { echo "# $folder includes $other"; result=1; }
                break
            done
        done
    done
    return $result
}

lacks() { # lacks FOLDER OTHER...
    folder=$1
    shift
    [ -d "$view/$folder" ] || return 1
    for other in "$@"; do
        [ ! -e "$view/$folder/$other" ] || return 1
    done
}

compiler=$1
[ "${compiler##*/}" = ccache ] && compiler=$2

echo "1..8"
ok "each header compiles alone" each_header_compiles_alone
ok "no include leaves its folder by a path" no_include_leaves_its_folder
ok "each include names its folder" each_include_names_its_folder
ok "internal headers are included by their own folder only" \
    internal_headers_stay_at_home
ok "an include that the law forbids does not compile" forbidden_includes_fail
ok "the data plane cannot reach the database" lacks edge store admin
ok "management has neither checks nor the data plane" lacks admin check edge
ok "base stands on nothing" lacks base codec net http model live store main
exit $failed
