package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// unitFolders is where systemd looks.
const unitFolders = "/etc/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system"

// units does to the named units what systemctl would, as far as a document can tell: a service is its ExecStart, run as
// its User in its StateDirectory until it is told to stop.
func units(c call) error {
	var errs []error
	for _, name := range c.args {
		if !strings.Contains(name, ".") {
			name += ".service"
		}
		file, err := unitFile(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		action := c.verb.words
		if _, now := c.flags["--now"]; now {
			action = map[string]string{"enable": "start", "disable": "stop"}[action]
		}
		if strings.HasSuffix(name, ".service") {
			errs = append(errs, shell(service, action, file, private+"/"+name))
		}
	}
	return errors.Join(errs...)
}

func unitFile(name string) (string, error) {
	for folder := range strings.FieldsSeq(unitFolders) {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			return filepath.Join(folder, name), nil
		}
	}
	return "", fmt.Errorf("unit %s is in none of %s", name, unitFolders)
}

// service does one action ($1) with a unit's file ($2); $3.pid and $3.log are what it keeps.
const service = `
value() { sed -n "s|^$1=||p" "$file" | tail -n 1; }
action=$1 file=$2 kept=$3
running() { [ -e "$kept.pid" ] && kill -0 "$(cat "$kept.pid")" 2>/dev/null; }
stop() { ! running || { kill "$(cat "$kept.pid")"; while running; do sleep 0.1; done; }; }
start() {
	cd "/var/lib/$(value StateDirectory)"
	set -a
	if [ -e /etc/default/ganeti-cache-updater ]; then . /etc/default/ganeti-cache-updater; fi
	setsid setpriv --reuid="$(value User)" --regid="$(value User)" --init-groups $(value ExecStart) >>"$kept.log" 2>&1 3>&- &
	echo $! >"$kept.pid"
	if [ "$(value Type)" = oneshot ]; then wait $!; return; fi
	for _ in $(seq 600); do
		if curl -o /dev/null -f http://127.0.0.1:9150/readyz >/dev/null 2>&1; then return; fi
		running || { cat "$kept.log" >&2; exit 1; }
		sleep 0.1
	done
	cat "$kept.log" >&2
	exit 1
}
case "$action" in
start) running || start ;;
stop) stop ;;
restart) stop; start ;;
reload) running && kill -HUP "$(cat "$kept.pid")" ;;
status | is-active) running && echo 'Active: active (running)' ;;
esac
`

// journal prints the log of a service.
func journal(c call) error {
	for _, flag := range []string{"-u", "--unit"} {
		for _, name := range c.flags[flag] {
			if !strings.Contains(name, ".") {
				name += ".service"
			}
			if _, err := unitFile(name); err != nil {
				return err
			}
			if err := shell(`[ ! -e "$1" ] || cat "$1"`, private+"/"+name+".log"); err != nil {
				return err
			}
		}
	}
	return nil
}
