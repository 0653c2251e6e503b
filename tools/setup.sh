#!/bin/sh
# Install what building and testing need, with apt, and nothing when all is
# there. Runs as root or through sudo.
#
#   tools/setup.sh          what ./run needs
#   tools/setup.sh test     also what ./test needs
#
# Debian 12 has no yyjson and no llhttp. There the four packages of Debian 13
# come from this machine's own configured package source with the suite's
# name changed: see docs/decisions/0003-debian-13-packages-on-debian-12.md.
set -eu

run_packages="gcc libc6-dev meson ninja-build pkg-config ca-certificates curl
              libssl-dev libsqlite3-dev libyaml-dev libidn2-dev
              libpcre2-dev libpsl-dev liburing-dev"
test_packages="clang clang-format clang-tidy llvm libcmocka-dev nodejs npm
               nginx-light openssl git libmodsecurity3 modsecurity-crs"
run_newer="libyyjson0 libyyjson-dev"
test_newer="libllhttp9.2 libllhttp-dev"

say() { printf 'setup: %s\n' "$*"; }
die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root or sudo to install: $missing"
    fi
}

# RUNLEVEL=1: no service of an installed package is started.
apt() {
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq \
        -o Dpkg::Use-Pty=0 -o APT::Install-Recommends=false \
        -o Acquire::Retries=3 "$@"
}

installed() {
    case $(dpkg-query -W -f '${Status}' "$1" 2>/dev/null) in
    *" installed") return 0 ;;
    esac
    # Another package, or the user's own build, may provide the command.
    case $1 in
    nodejs) command -v node ;;
    npm) command -v npm ;;
    nginx-light) command -v nginx || test -x /usr/sbin/nginx ;;
    libmodsecurity3) ls /usr/lib/*/libmodsecurity.so.3 ;; # …t64 since 13
    *) false ;;
    esac >/dev/null
}

# list_missing PACKAGE...: those that are not installed, in one line
list_missing() {
    for package in "$@"; do
        installed "$package" || printf '%s ' "$package"
    done
}

# Debian 13's packages on Debian 12: this machine's package sources with the
# suite's name changed, in a private apt state that leaves no trace.
install_newer() {
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    mkdir -p "$scratch/parts" "$scratch/lists/partial" "$scratch/cache"
    for source in /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
        /etc/apt/sources.list.d/*.sources; do
        [ -f "$source" ] || continue
        grep -q "[[:space:]]bookworm" "$source" || continue
        grep -q '\(^\|[[:space:]]\)main\([[:space:]]\|$\)' "$source" || continue
        sed 's/\([[:space:]]\)bookworm/\1trixie/g' "$source" \
            >"$scratch/parts/$(basename "$source")"
    done
    set -- -o Dir::Etc::sourcelist=/dev/null \
        -o Dir::Etc::sourceparts="$scratch/parts" \
        -o Dir::State::lists="$scratch/lists" \
        -o Dir::Cache="$scratch/cache" -o APT::Sandbox::User=root "$@"
    apt-get -qq "$@" update
    # shellcheck disable=SC2086
    (cd "$scratch/cache" && apt-get -qq "$@" download $newer >/dev/null)
    as_root dpkg --install "$scratch"/cache/*.deb >/dev/null
}

packages=$run_packages
newer=$run_newer
if [ "${1:-}" = test ]; then
    packages="$packages $test_packages"
    newer="$newer $test_newer"
fi
[ -r /etc/debian_version ] || die "only Debian 12 and 13 are supported"
# shellcheck disable=SC1091
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
runtime=libclang-rt-14-dev     # the sanitizers of Debian's clang
if [ "$codename" != bookworm ]; then
    packages="$packages $newer"
    newer=
    runtime=libclang-rt-19-dev
fi
[ "${1:-}" != test ] || packages="$packages $runtime"

# shellcheck disable=SC2086
missing=$(list_missing $packages)
# shellcheck disable=SC2086
newer=$(list_missing $newer)
[ -n "$missing$newer" ] || exit 0

if [ -n "$missing" ]; then
    say "installing: $missing"
    apt update
    # shellcheck disable=SC2086
    apt install $missing >/dev/null
fi
if [ -n "$newer" ]; then
    say "installing from Debian 13: $newer"
    install_newer
fi
