#!/bin/bash
# The first ten minutes of a new user, in a minimal Debian.
#
#   tests/fresh/run.sh 12|13      (root; needs git and debootstrap)
#
# Makes a minimal Debian in a scratch directory from this machine's own
# package source, puts a clean clone of HEAD into it, and there runs
# steps.sh: ./run until it answers, then ./test with FRESH_PARTS (unit e2e).
# FRESH_DIR keeps the scratch elsewhere than in /var/tmp; FRESH_KEEP=1 leaves
# it.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)

case ${1:-} in
12) suite=bookworm ;;
13) suite=trixie ;;
*) echo "usage: $0 12|13" >&2; exit 2 ;;
esac
[ "$(id -u)" = 0 ] || { echo "fresh: needs root" >&2; exit 1; }
command -v debootstrap >/dev/null ||
    DEBIAN_FRONTEND=noninteractive apt-get -qq install debootstrap >/dev/null

# Where this machine takes Debian's packages from.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
    'Created-By: Packages' |
    awk '$2 ~ /^(bookworm|trixie)$/ && $3 == "main" {print $1; exit}')
[ -n "$mirror" ] || { echo "fresh: no Debian package source" >&2; exit 1; }

scratch=$(mktemp -d "${FRESH_DIR:-/var/tmp}/typeauth-fresh-$1.XXXXXX")
root=$scratch/root
clean_up() {
    for point in "$root/dev/shm" "$root/dev/pts" "$root/dev" "$root/sys" \
        "$root/proc"; do
        mountpoint -q "$point" && umount -l "$point"
    done
    [ -n "${FRESH_KEEP:-}" ] || rm -rf --one-file-system "$scratch"
    return 0
}
trap clean_up EXIT

echo "fresh: debootstrap $suite"
debootstrap --variant=minbase "$suite" "$root" "$mirror" \
    >"$scratch/debootstrap.log" 2>&1 ||
    { tail -20 "$scratch/debootstrap.log" >&2; exit 1; }

# What a machine has from its administrator: names, proxies, authorities.
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
mkdir -p "$root/usr/local/share/ca-certificates"
find /usr/local/share/ca-certificates -name '*.crt' \
    -exec cp {} "$root/usr/local/share/ca-certificates/" ';'
echo "deb $mirror $suite main" >"$root/etc/apt/sources.list"
apt-config dump --format '%f "%v";%n' Acquire 2>/dev/null |
    grep -iE '^Acquire::https?::(proxy|ca-?info)' \
    >"$root/etc/apt/apt.conf.d/90machine" || true
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"

git clone --quiet "file://$top" "$root/root/typeauth"
git -C "$root/root/typeauth" checkout --quiet \
    "$(git -C "$top" rev-parse HEAD)"

echo "fresh: Debian $1, $(du -sh "$root" --exclude=dev --exclude=proc |
    cut -f1) before anything is installed"
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LANG=C.UTF-8 \
    ${http_proxy:+http_proxy="$http_proxy"} ${JOBS:+JOBS="$JOBS"} \
    FRESH_PARTS="${FRESH_PARTS:-unit e2e}" \
    chroot "$root" /bin/sh /root/typeauth/tests/fresh/steps.sh
