package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// vms is the size of the simulated cluster.
const vms = 7

// documented runs a command that docs/install.md has, with the pairs of old and new texts replaced in it: what the reader
// is told to type is what was tried.
func (t *trial) documented(ctx context.Context, text string, replace ...string) error {
	document, err := os.ReadFile("docs/install.md")
	if err != nil {
		return fmt.Errorf("reading the document: %w", err)
	}
	if !strings.Contains(string(document), "\n"+text+"\n") {
		return fmt.Errorf("docs/install.md does not have the command %q", text)
	}
	_, err = t.debian.sh(ctx, "cd /root\n"+strings.NewReplacer(replace...).Replace(text))
	return err
}

func (t *trial) configure(ctx context.Context) error {
	at := []string{"rapi.example.org:5080", t.cluster.Addr(), "9F:86:…", t.cluster.Pin()}
	for _, text := range []string{
		"ganeti-cache-updater trust rapi.example.org:5080",
		"install -m 0640 -g ganeti-cache-updater /dev/stdin /etc/ganeti-cache-updater/prod.password",
		`cat >> /etc/ganeti-cache-updater/config.yaml <<'END'
clusters:
  - {name: prod, rapi: "https://rapi.example.org:5080", username: gwm,
     password_file: /etc/ganeti-cache-updater/prod.password, tls: {pin_sha256: "9F:86:…"}}
END`,
		"runuser -u ganeti-cache-updater -- ganeti-cache-updater check",
	} {
		if err := t.documented(ctx, text, append(at, "install -m", "echo kaninchen | install -m")...); err != nil {
			return err
		}
	}
	return nil
}

// filled waits until the database has the cluster's VMs.
func (t *trial) filled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	poll := time.NewTicker(time.Second / 2)
	defer poll.Stop()
	for {
		said, err := t.debian.sh(ctx, "runuser -u ganeti-cache-updater -- ganeti-cache-updater vms --csv | wc -l")
		if err == nil && strings.TrimSpace(said) == strconv.Itoa(vms+1) { // a line of headings
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %d VMs in the database: %w\n%s", vms, errors.Join(ctx.Err(), err), said)
		case <-poll.C:
		}
	}
}

// serve leaves the service running.
func (t *trial) serve(ctx context.Context) (err error) {
	if t.service, err = t.debian.start(ctx); err != nil {
		return err
	}
	if err := t.filled(ctx); err != nil {
		return err
	}
	return t.says(ctx, "stat -c '%U %a' "+database+"; runuser -u ganeti-cache-updater -- ganeti-cache-updater status", "ganeti-cache-updater 600", "prod")
}

// halt stops the service, so that close does not.
func (t *trial) halt() error {
	s := t.service
	t.service = nil
	return s.stop()
}
