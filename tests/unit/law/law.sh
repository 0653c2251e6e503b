#!/bin/sh
# The dependency law, seen from outside the build.
#   law.sh SRC VIEW CC...
set -u
src=$1 view=$2
shift 2
number=0
failed=0
scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT

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

# Whatever FOLDER may not use cannot be included from it: asked of the
# compiler for each header of each such folder.
forbidden_includes_fail() {
    result=0
    for folder in $(ls "$view"); do
        for header in "$src"/*/*.h; do
            name=${header#"$src"/}
            [ -e "$header" ] && [ ! -e "$view/$folder/${name%%/*}" ] || continue
            echo "#if __has_include(\"$name\")"
            echo "#error $folder can include $name"
            echo "#endif"
        done >"$scratch"
        "$compiler" -E -I"$view/$folder" -x c - <"$scratch" >/dev/null ||
            result=1
    done
    return $result
}

# The check above can fail: a real include of each kind, seen to be refused.
a_forbidden_include_is_an_error() {
    for header in "$src"/base/*.h; do
        name=${header#"$src"/}
        compiles codec "#include \"$name\"
extern int not_empty;" || return 1
        mkdir "$scratch.d" && ln -s "$src/codec" "$scratch.d/codec"
        printf '#include "%s"\n' "$name" |
            "$compiler" -fsyntax-only -I"$scratch.d" -x c - 2>/dev/null
        refused=$?
        rm -r "$scratch.d"
        [ $refused != 0 ]
        return
    done
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

echo "1..9"
ok "each header compiles alone" each_header_compiles_alone
ok "no include leaves its folder by a path" no_include_leaves_its_folder
ok "each include names its folder" each_include_names_its_folder
ok "internal headers are included by their own folder only" \
    internal_headers_stay_at_home
ok "an include that the law forbids does not compile" forbidden_includes_fail
ok "an include that a view lacks is an error" a_forbidden_include_is_an_error
ok "the data plane cannot reach the database" lacks edge store admin
ok "management has neither checks nor the data plane" lacks admin check edge
ok "base stands on nothing" lacks base codec net http model live store main
exit $failed
