# What up.sh, down.sh and on.sh have in common; sourced, never run. It takes "--suite SUITE" from their arguments:
#   bookworm  Ganeti 3.0 of Debian 12, on this machine itself
#   trixie    Ganeti 3.1 of Debian 13, in a root of its own that is kept for the next time (.ci/debian-root)
SUITE=bookworm
if [ "${1:-}" = --suite ]; then
	SUITE=$2
	shift 2
fi
case $SUITE in
bookworm) VERSION=3.0 ;;
trixie) VERSION=3.1 ;;
*)
	echo "unknown suite $SUITE; use bookworm (Ganeti 3.0) or trixie (3.1)" >&2
	exit 2
	;;
esac

# Everything of the trial carries this name, so that down.sh can remove all of it and nothing else. With another one a
# second trial runs beside the first; keep it short, because it ends up in paths of unix sockets.
NAME=${E2E_NAME:-ganeti-e2e}
[ "$SUITE" = bookworm ] || NAME=${E2E_NAME:-ganeti-e31}
NS=$NAME                # network namespace; every process of the cluster lives in it
ROOT=/srv/$NAME         # the virtual nodes' directories
OS=/srv/ganeti/os/$NAME # the operating system of the instances; Ganeti looks for it here and nowhere else
NODES=${NODES:-4}
DOMAIN=e2e.test
PREFIX=10.99.0          # the addresses exist in the namespace alone: .1 is the cluster's, node1 has .11, node2 .12
SKIPPED=77              # exit status of up.sh where the trial cannot run

DAEMONS=/usr/lib/ganeti/daemon-util
CI=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.ci" && pwd)
PACKAGES="ganeti openssh-server iproute2"

# find_debian sets DEBIAN to the suite's root, and makes it if it is not there.
find_debian() {
	[ -n "${DEBIAN:-}" ] || DEBIAN=$("$CI/debian-root" "ganeti-$VERSION" "$SUITE" $PACKAGES procps postgresql python3)
}

# inside COMMAND... runs a command in the namespace, and in the suite's root where it has one. "ip netns exec" lays the
# namespace's own files over those of /etc, and the root gets them from there.
inside() {
	if [ "$SUITE" = bookworm ]; then
		ip netns exec "$NS" "$@"
		return
	fi
	find_debian
	local shared=() path
	for path in /srv /sys /etc/hosts /etc/nsswitch.conf /etc/resolv.conf /etc/ssh; do shared+=(--bind "$path"); done
	ip netns exec "$NS" "$CI/in-root" "${shared[@]}" "$DEBIAN" "$@"
}

# as NODE COMMAND... runs a command in the namespace as that node.
as() {
	local node=$1
	shift
	inside env "GANETI_ROOTDIR=$ROOT/$node.$DOMAIN" "GANETI_HOSTNAME=$node.$DOMAIN" \
		"E2E_VERSION=$VERSION" "E2E_NAME=$NAME" "E2E_ROOT=$ROOT" "E2E_DOMAIN=$DOMAIN" "E2E_PREFIX=$PREFIX" "$@"
}

say() { printf '%s\n' "$*" >&2; }
