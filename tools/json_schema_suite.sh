#!/bin/sh
# json_schema_suite.sh DIRECTORY
# Puts the cases of the JSON Schema Test Suite for 2020-12 into DIRECTORY, out
# of Debian's package of it, which is unpacked only: installing it would bring
# 40 Perl modules with it. Does nothing when they are there.
set -eu
[ ! -d "$1/draft2020-12" ] || exit 0
package=libtest-json-schema-acceptance-perl
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fetch() {
    (cd "$scratch" &&
        apt-get -qq -o APT::Sandbox::User=root download "$package" >/dev/null)
}
fetch 2>/dev/null || { apt-get -qq update && fetch; }
dpkg -x "$scratch/$package"*.deb "$scratch/package"
mkdir -p "$1"
cases=$scratch/package/usr/share/perl5/auto/share/dist
mv "$cases/Test-JSON-Schema-Acceptance/tests/draft2020-12" "$1/"
