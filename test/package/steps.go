package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ganeticache/ganeti/rapisim"
)

// Two versions of the package: what differs between them is the name.
const (
	oldVersion = "0~1.trial"
	newVersion = "0~2.trial"
)

const (
	binary     = "/usr/bin/ganeti-cache-updater"
	configFile = "/etc/ganeti-cache-updater/config.yaml"
	stateDir   = "/var/lib/ganeti-cache-updater"
	database   = stateDir + "/cache.db"
)

// trial is what the steps share.
type trial struct {
	options
	folder string
	// first and second are the files of the two packages.
	first, second string
	debian        debian
	cluster       *rapisim.Server
	service       *service
}

// step is one thing to see. It fails with what was wrong.
type step struct {
	what string
	do   func(ctx context.Context) error
}

func (t *trial) steps() []step {
	return []step{
		{"two builds of the package are the same bytes, in other folders, time zones and homes", t.sameTwice},
		{"lintian finds no error", t.lint},
		{"a clean Debian", t.bootstrap},
		{"apt installs it: files, user and folders are there, nothing is enabled, nothing runs", t.install},
		{"unconfigured, the service says what is missing and exits with 2", t.unconfigured},
		{"three lines of configuration, by the commands of docs/install.md", t.configure},
		{"ExecStart, as the unit says: ready, and the cluster is in the database", t.serve},
		{"an upgrade keeps the configuration, and the next start migrates the schema", t.upgrade},
		{"the watchdog's signal ends it by that signal, so that it is started again", t.crash},
		{"removing keeps configuration and data", t.remove},
		{"installing again finds them", t.again},
		{"purging without anybody to ask keeps the data", t.purge},
		{"purging with the operator's consent removes them", t.purgeAgreed},
	}
}

func (t *trial) close() error {
	var err error
	if t.service != nil {
		err = t.service.stop()
	}
	if t.cluster != nil {
		t.cluster.Close()
	}
	// Nobody shall take them for a release.
	for _, file := range []string{t.first, t.second} {
		if file != "" {
			err = errors.Join(err, os.Remove(file))
		}
	}
	return err
}

func (t *trial) lint(ctx context.Context) error {
	said, err := command(ctx, "lintian", "--allow-root", "--fail-on", "error,warning", t.first)
	if err != nil {
		return err
	}
	if strings.Contains(said, "E: ") {
		return errors.New(said)
	}
	return nil
}

func (t *trial) bootstrap(ctx context.Context) (err error) {
	if t.debian, err = bootstrap(ctx, t.options, filepath.Join(t.folder, "debian")); err != nil {
		return err
	}
	t.cluster, err = rapisim.NewServer(rapisim.NewCluster(rapisim.Options{
		Name: "prod.example", VMs: vms, Username: "gwm", Password: "kaninchen",
	}))
	if err != nil {
		return fmt.Errorf("starting the simulated cluster: %w", err)
	}
	return nil
}

func (t *trial) install(ctx context.Context) error {
	if err := t.debian.bring(t.first); err != nil {
		return err
	}
	if err := t.documented(ctx, "apt install ./ganeti-cache-updater_*_amd64.deb", "_amd64", "", "apt ", "apt-get -qq "); err != nil {
		return err
	}
	err := t.debian.there(binary, serviceUnit, configFile, "/etc/default/ganeti-cache-updater", stateDir,
		"/usr/share/man/man1/ganeti-cache-updater.1.gz", "/usr/share/bash-completion/completions/ganeti-cache-updater")
	if err != nil {
		return err
	}
	if err := t.debian.quiet(); err != nil {
		return err
	}
	if err := t.debian.gone(database, "/etc/systemd/system/multi-user.target.wants/ganeti-cache-updater.service",
		"/etc/systemd/system/timers.target.wants/ganeti-cache-updater-once.timer"); err != nil {
		return err
	}
	return t.says(ctx, "stat -c '%U:%G %a %n' /etc/ganeti-cache-updater "+stateDir+"; "+binary+" version",
		"root:ganeti-cache-updater 750 /etc/ganeti-cache-updater\n", "ganeti-cache-updater:ganeti-cache-updater 750 "+stateDir+"\n",
		os.Getenv("COMMIT"))
}

func (t *trial) unconfigured(ctx context.Context) error {
	return t.says(ctx, "as_user='runuser -u ganeti-cache-updater --'; $as_user "+binary+" && exit; echo exit $?",
		"no cluster is configured", "exit 2")
}

// says runs a script and insists on what it prints.
func (t *trial) says(ctx context.Context, script string, wanted ...string) error {
	said, err := t.debian.sh(ctx, script)
	if err != nil {
		return err
	}
	for _, w := range wanted {
		if !strings.Contains(said, w) {
			return fmt.Errorf("%q does not say %q but:\n%s", script, w, said)
		}
	}
	return nil
}
