#!/usr/bin/env bash
# Runs a command as a node of the trial's cluster:  on.sh node1 gnt-instance list
set -euo pipefail
. "$(dirname "$0")/lib.sh"
as "$@" # in lib.sh
