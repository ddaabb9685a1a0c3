#!/usr/bin/env bash
# up.sh [--suite trixie] brings up an empty Ganeti 3.0 cluster (trixie: 3.1) of virtual nodes on this one machine (Ganeti's
# own "vcluster" mode), with all its daemons in one network namespace. Running it again starts what does not run.
# Exit status: 0 the cluster runs, 77 this machine cannot have one (the reason is on standard output), 1 it failed.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

skip() {
	printf '%s\n' "$*"
	exit "$SKIPPED"
}

check_machine() {
	[ "$(id -u)" = 0 ] || skip "a Ganeti cluster needs root (network namespaces, Ganeti's own users)"
	command -v apt-get >/dev/null || skip "the cluster is built from Debian's packages, and there is no apt-get here"
	# daemon-util would hand the daemons to systemd, which knows one node per machine and not four.
	[ ! -d /run/systemd/system ] || skip "systemd runs here and would take Ganeti's daemons over; use a container without systemd"
	[ "$SUITE" = bookworm ] || "$CI/../deploy/need" root mmdebstrap=mmdebstrap ||
		skip "Ganeti $VERSION lives in a Debian of its own, which mmdebstrap makes; it is missing"
	[ ! -e /var/lib/ganeti/config.data ] || skip "this machine is a Ganeti node itself, which is no place for a trial"
}

install_ganeti() {
	if [ "$SUITE" != bookworm ]; then
		find_debian
		return
	fi
	if ! dpkg -s $PACKAGES >/dev/null 2>&1; then
		apt-get -qq update >&2
		# Not through grep -q: it leaves apt-cache with a broken pipe, which pipefail takes for a missing package.
		case $(apt-cache policy ganeti) in
		*"Candidate: $VERSION."*) ;;
		*) skip "apt-get has no package ganeti $VERSION here (Debian 12 has it)" ;;
		esac
		say "+ apt-get install $PACKAGES"
		DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends $PACKAGES >/dev/null
	fi
	case $(dpkg-query -W -f '${Version}' ganeti) in
	"$VERSION".*) ;;
	*) skip "this machine has another Ganeti than $VERSION" ;;
	esac
}

make_namespace() {
	if [ ! -e "/run/netns/$NS" ]; then
		ip netns add "$NS" 2>/dev/null || skip "this machine lets nobody make network namespaces"
		ip netns exec "$NS" true 2>/dev/null || { ip netns del "$NS"; skip "this machine lets nobody enter network namespaces"; }
	fi
	ip -n "$NS" link set lo up
	local bridge i
	for bridge in master0 guests0; do
		ip -n "$NS" link show "$bridge" >/dev/null 2>&1 || ip -n "$NS" link add "$bridge" type bridge
		ip -n "$NS" link set "$bridge" up
	done
	for i in $(seq "$NODES"); do
		ip -n "$NS" addr replace "$PREFIX.$((10 + i))/24" dev master0
	done
	# Files in /etc/netns/NAME lie over those in /etc for whoever is in the namespace.
	mkdir -p "/etc/netns/$NS/ssh"
	{
		printf '127.0.0.1 localhost\n%s.1 cluster.%s\n' "$PREFIX" "$DOMAIN"
		for i in $(seq "$NODES"); do printf '%s.%d node%d.%s node%d\n' "$PREFIX" $((10 + i)) "$i" "$DOMAIN" "$i"; done
	} >"/etc/netns/$NS/hosts"
	echo 'hosts: files' >"/etc/netns/$NS/nsswitch.conf"
	sed '/^hosts:/d' /etc/nsswitch.conf >>"/etc/netns/$NS/nsswitch.conf"
	: >"/etc/netns/$NS/resolv.conf"
}

# Ganeti adds a node through ssh. This sshd has its own keys and is reached from inside the namespace only.
start_sshd() {
	local etc=/etc/netns/$NS/ssh key
	for key in ssh_host_rsa_key ssh_host_ed25519_key client_key; do
		local type=rsa
		[ "$key" != ssh_host_ed25519_key ] || type=ed25519
		[ -f "$etc/$key" ] || ssh-keygen -q -t "$type" -N '' -f "$etc/$key"
	done
	cp "$etc/client_key.pub" "$etc/authorized_keys"
	printf 'Host *\n  IdentityFile /etc/ssh/client_key\n' >"$etc/ssh_config"
	cat >"$etc/sshd_config" <<-CONFIG
		HostKey /etc/ssh/ssh_host_rsa_key
		HostKey /etc/ssh/ssh_host_ed25519_key
		PermitRootLogin prohibit-password
		PasswordAuthentication no
		UsePAM no
		AuthorizedKeysFile /etc/ssh/authorized_keys
		PidFile $ROOT/sshd.pid
		StrictModes no
	CONFIG
	inside mkdir -p /run/sshd
	if ! kill -0 "$(cat "$ROOT/sshd.pid" 2>/dev/null)" 2>/dev/null; then
		inside /usr/sbin/sshd -f /etc/ssh/sshd_config
	fi
}

make_nodes() {
	local i dir
	for i in $(seq "$NODES"); do
		dir=$ROOT/node$i.$DOMAIN
		mkdir -p "$dir"/etc/{default,ganeti} "$dir"/var/lock "$dir"/var/{lib,log,run}/ganeti \
			"$dir"/srv/ganeti/{file-storage,shared-file-storage,export}
		printf '%s\n' "$ROOT/shared/file" "$ROOT/shared/sharedfile" >"$dir/etc/ganeti/file-storage-paths"
		cat >"$dir/etc/default/ganeti" <<-DEFAULTS
			NODED_ARGS='--no-mlock -b $PREFIX.$((10 + i))'
			RAPI_ARGS='-b $PREFIX.$((10 + i)) --require-authentication'
			CONFD_ARGS='-b $PREFIX.$((10 + i))'
			MOND_ARGS='-b $PREFIX.$((10 + i))'
			export GANETI_ROOTDIR='$dir'
			export GANETI_HOSTNAME='node$i.$DOMAIN'
		DEFAULTS
		as "node$i" /usr/lib/ganeti/ensure-dirs
	done
}

make_guest_os() {
	local script
	mkdir -p "$OS"
	for script in create import export rename verify; do
		printf '#!/bin/sh\nexit 0\n' >"$OS/$script"
		chmod +x "$OS/$script"
	done
	echo 20 >"$OS/ganeti_api_version"
	printf 'default\nbookworm\ntrixie\n' >"$OS/variants.list"
	: >"$OS/parameters.list"
	install -m 0755 "$here/kvm-stub.py" "$ROOT/kvm-stub"
	# 3.1 verifies that there is a kvm there, whatever kvm_path says. The root is ours, this machine is not.
	[ "$SUITE" = bookworm ] || inside ln -sf "$ROOT/kvm-stub" /usr/bin/kvm
}

# vhost_net is on by default in 3.1, and there may be no /dev/vhost-net.
# The limits are as wide as can be: the instances are imaginary, and all nodes count the same memory as theirs.
init_cluster() {
	[ ! -f "$ROOT/node1.$DOMAIN/var/lib/ganeti/config.data" ] || return 0
	say "initialising the cluster"
	as node1 gnt-cluster init --no-etc-hosts --no-ssh-init --master-netdev=master0 --master-netmask=32 \
		--file-storage-dir="$ROOT/shared/file" --shared-file-storage-dir="$ROOT/shared/sharedfile" \
		--enabled-disk-templates=diskless,file,sharedfile \
		--enabled-hypervisors=fake,kvm -H "kvm:kvm_path=$ROOT/kvm-stub,kernel_path=,initrd_path=,vhost_net=false" \
		--nic-parameters=mode=bridged,link=guests0 --default-iallocator=hail --ipolicy-vcpu-ratio=10000 \
		--ipolicy-bounds-specs=min:disk-size=0,cpu-count=1,disk-count=0,memory-size=1,nic-count=0,spindle-use=0/max:disk-size=1048576,cpu-count=64,disk-count=16,memory-size=262144,nic-count=8,spindle-use=12 \
		"cluster.$DOMAIN"
}

start_node() {
	local daemon daemons="ganeti-noded ganeti-confd ganeti-mond"
	[ "$1" != node1 ] || daemons+=" ganeti-wconfd ganeti-luxid ganeti-rapi"
	for daemon in $daemons; do
		as "$1" "$DAEMONS" check "$daemon" >/dev/null 2>&1 || as "$1" "$DAEMONS" start "$daemon"
	done
}

# answers COMMAND... waits until a command of the master succeeds.
answers() {
	local try
	for try in $(seq 60); do
		as node1 "$@" >/dev/null 2>&1 && return 0
		sleep 0.5
	done
	say "the master did not answer '$*' within 30 s (try $try); its logs are in $ROOT/node1.$DOMAIN/var/log/ganeti"
	return 1
}

add_nodes() {
	local i
	for i in $(seq 2 "$NODES"); do
		if ! as node1 gnt-node list --no-headers -o name | grep -qx "node$i.$DOMAIN"; then
			say "adding node$i"
			as node1 gnt-node add --no-ssh-key-check "node$i.$DOMAIN" >&2
		fi
		start_node "node$i"
	done
}

check_machine
install_ganeti
make_namespace
mkdir -p "$ROOT"/shared/{file,sharedfile}
chmod 0755 "$ROOT"
start_sshd
make_nodes
make_guest_os
init_cluster
start_node node1
answers gnt-job list
add_nodes
say "the cluster runs; try: $here/on.sh --suite $SUITE node1 gnt-node list"
