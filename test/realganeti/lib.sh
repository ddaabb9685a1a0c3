# What up.sh, down.sh and on.sh have in common; sourced, never run.

# Everything of the trial carries this name, so that down.sh can remove all of it and nothing else. With another one a
# second trial runs beside the first; keep it short, because it ends up in paths of unix sockets.
NAME=${E2E_NAME:-ganeti-e2e}
NS=$NAME                # network namespace; every process of the cluster lives in it
ROOT=/srv/$NAME         # the virtual nodes' directories
OS=/srv/ganeti/os/$NAME # the operating system of the instances; Ganeti looks for it here and nowhere else
NODES=${NODES:-4}
DOMAIN=e2e.test
PREFIX=10.99.0          # the addresses exist in the namespace alone: .1 is the cluster's, node1 has .11, node2 .12
SKIPPED=77              # exit status of up.sh where the trial cannot run

DAEMONS=/usr/lib/ganeti/daemon-util

# as NODE COMMAND... runs a command in the namespace as that node.
as() {
	local node=$1
	shift
	ip netns exec "$NS" env "GANETI_ROOTDIR=$ROOT/$node.$DOMAIN" "GANETI_HOSTNAME=$node.$DOMAIN" \
		"E2E_NAME=$NAME" "E2E_ROOT=$ROOT" "E2E_DOMAIN=$DOMAIN" "E2E_PREFIX=$PREFIX" "$@"
}

say() { printf '%s\n' "$*" >&2; }
