#!/usr/bin/env bash
# Ends every process of the trial's cluster and removes all its files; installed packages stay. It may be run at any
# time, also after a failure or when nothing is there.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

# signal NAME sends a signal to whatever is in the namespace: all of that is ours.
signal() {
	local pid
	for pid in $(ip netns pids "$NS"); do
		kill "-$1" "$pid" 2>/dev/null || true
	done
}

if [ -e "/run/netns/$NS" ]; then
	signal TERM
	signal CONT # a stopped process hears nothing until it is woken
	for _ in $(seq 50); do
		[ -n "$(ip netns pids "$NS")" ] || break
		sleep 0.1
	done
	signal KILL
	ip netns del "$NS"
fi
rm -rf "$ROOT" "/etc/netns/$NS" "$OS"
rmdir "$(dirname "$OS")" /srv/ganeti 2>/dev/null || true # only when nobody else has anything in them
