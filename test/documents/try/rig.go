package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"ganeticache/ganeti/rapisim"
)

// The RAPI user of the documents, and what a reader types when asked for the password.
const (
	user     = "gwm"
	password = "kaninchen"
)

// hosts are the machines that the documents name, each with its address in this network, which is nobody else's.
//
//nolint:gochecknoglobals // a table
var hosts = map[string]string{
	"rapi.example.org":      "127.0.1.1",
	"rapi.prod.example.org": "127.0.1.1",
	"node1.example.org":     "127.0.1.1",
	"rapi.lab.example.org":  "127.0.1.2",
	"rapi.dev.example.org":  "127.0.1.2",
	"node2.example.org":     "127.0.1.2",
	"db.example.org":        "127.0.2.1",
}

// rig is what all documents share.
type rig struct {
	// folder is in memory, and gone when the process's mounts are.
	folder   string
	postgres *postgres
	clusters []*rapisim.Server
	// caches are the folders of go, so that nothing is downloaded or built twice.
	caches []string
}

func newRig(ctx context.Context) (r *rig, err error) {
	r = &rig{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.folder, err = privateFolder(); err != nil {
		return nil, err
	}
	if _, err := command(ctx, "ip", "link", "set", "lo", "up"); err != nil {
		return nil, err
	}
	caches, err := command(ctx, "go", "env", "GOROOT", "GOCACHE", "GOMODCACHE")
	if err != nil {
		return nil, err
	}
	r.caches = strings.Fields(caches)
	for name, o := range map[string]rapisim.Options{
		"rapi.example.org": {Name: "prod.example", VMs: 50, Nodes: 5, Networks: 1, DRBDShare: 0.2, Jobs: 3}, "rapi.lab.example.org": {Name: "lab.example", Seed: 2, VMs: 7},
	} {
		o.Username, o.Password = user, password
		s, err := rapisim.NewServer(rapisim.NewCluster(o), rapisim.WithAddress(hosts[name]+":5080"))
		if err != nil {
			return nil, fmt.Errorf("starting the simulated cluster at %s: %w", name, err)
		}
		r.clusters = append(r.clusters, s)
	}
	r.postgres, err = startPostgres(ctx, filepath.Join(r.folder, "postgres"))
	return r, err
}

// privateFolder is in memory and in the mounts of this process alone.
func privateFolder() (string, error) {
	folder, err := os.MkdirTemp("", "documents-")
	if err != nil {
		return "", fmt.Errorf("making a folder: %w", err)
	}
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"none", "/", "", syscall.MS_REC | syscall.MS_PRIVATE}, {"proc", "/proc", "proc", 0}, {"tmpfs", folder, "tmpfs", 0},
	} {
		if err := syscall.Mount(m.source, m.target, m.kind, m.flags, ""); err != nil {
			return "", fmt.Errorf("mounting %s on %s: %w", m.source, m.target, err)
		}
	}
	return folder, os.Chmod(folder, 0o755) //nolint:gosec // PostgreSQL has a user of its own
}

func (r *rig) close() error {
	var err error
	if r.postgres != nil {
		err = r.postgres.stop()
	}
	for _, s := range r.clusters {
		s.Close()
	}
	return errors.Join(err, syscall.Unmount(r.folder, syscall.MNT_DETACH), os.Remove(r.folder))
}

// placeholder is a pin that a document cannot know: cut short, or made up.
var placeholder = regexp.MustCompile(`\b([0-9A-F]{2}:?)+…|\b[0-9a-f]{64}\b|\b0{64}\b`)

// filled puts the pin of the simulated clusters in the place of a document's.
func (r *rig) filled(text string) string {
	return placeholder.ReplaceAllString(text, r.clusters[0].Pin())
}

// stood lists the programs of which a stub was called, with the reasons.
func (r *rig) stood() string {
	called, err := os.ReadFile(filepath.Join(r.folder, "stood"))
	if err != nil {
		return ""
	}
	var b strings.Builder
	calls := make(map[string]int)
	for name := range strings.Lines(string(called)) {
		calls[strings.TrimSuffix(name, "\n")]++
	}
	for _, s := range stubs {
		n := 0
		for _, v := range s.verbs {
			n += calls[strings.TrimSpace(s.program+" "+v.words)]
		}
		if n > 0 {
			fmt.Fprintf(&b, "    %-26s %2d×  %s\n", s.program, n, s.why)
		}
	}
	return b.String()
}
