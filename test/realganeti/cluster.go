package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// daemonUtil is Ganeti's own script that starts and stops its daemons.
const daemonUtil = "/usr/lib/ganeti/daemon-util"

// node is a virtual node: a directory that Ganeti takes for its root, and an address of its own.
type node struct {
	name string
	dir  string
	addr string
}

// nodeNumber returns node n, counted from 1. The environment is what on.sh says.
func nodeNumber(n int) node {
	name := nodeName(n)
	return node{
		name: name,
		dir:  filepath.Join(os.Getenv("E2E_ROOT"), name),
		addr: os.Getenv("E2E_PREFIX") + "." + strconv.Itoa(10+n),
	}
}

// run runs a command as this node and says what it printed when it fails.
func (n node) run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // Ganeti's own programs
	cmd.Env = append(os.Environ(), "GANETI_ROOTDIR="+n.dir, "GANETI_HOSTNAME="+n.name)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running %s %s on %s: %w\n%s", name, strings.Join(args, " "), n.name, err, out)
	}
	return nil
}

func (n node) start(ctx context.Context, daemon string) error {
	return n.run(ctx, daemonUtil, "start", daemon)
}

func (n node) stop(ctx context.Context, daemon string) error {
	return n.run(ctx, daemonUtil, "stop", daemon)
}

// signal sends a signal to a daemon, by its pid file.
func (n node) signal(daemon string, signal syscall.Signal) error {
	return signalPIDFile(n.path("var/run/ganeti", daemon+".pid"), signal)
}

func signalPIDFile(file string, signal syscall.Signal) error {
	text, err := os.ReadFile(file) //nolint:gosec // a path of the cluster
	if err != nil {
		return fmt.Errorf("finding the process: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		return fmt.Errorf("sending %s to process %d of %s: %w", signal, pid, file, err)
	}
	return nil
}

func (n node) path(parts ...string) string {
	return filepath.Join(append([]string{n.dir}, parts...)...)
}

// luxiSocket is where RAPI asks luxid.
func (n node) luxiSocket() string { return n.path("var/run/ganeti/socket/ganeti-query") }

// guestFile is what makes Ganeti's hypervisor "fake" believe that an instance runs on this node.
func (n node) guestFile(instance string) string {
	return n.path("var/run/ganeti/fake-hypervisor", instance)
}

// writeUsers replaces RAPI's users file, which RAPI reads again by itself.
func (n node) writeUsers(lines ...string) error {
	file := n.path("var/lib/ganeti/rapi/users")
	owner, err := user.Lookup("gnt-rapi")
	if err != nil {
		return fmt.Errorf("finding RAPI's user: %w", err)
	}
	uid, err1 := strconv.Atoi(owner.Uid)
	gid, err2 := strconv.Atoi(owner.Gid)
	err3 := os.WriteFile(file+".new", []byte(strings.Join(lines, "\n")+"\n"), 0o600)
	if err := errors.Join(err1, err2, err3); err != nil {
		return fmt.Errorf("writing the users file: %w", err)
	}
	if err := errors.Join(os.Chown(file+".new", uid, gid), os.Rename(file+".new", file)); err != nil {
		return fmt.Errorf("writing the users file: %w", err)
	}
	return nil
}

// pin is the SHA-256 of RAPI's certificate, which all nodes share.
func (n node) pin() (string, error) {
	rest, err := os.ReadFile(n.path("var/lib/ganeti/rapi.pem"))
	if err != nil {
		return "", fmt.Errorf("reading RAPI's certificate: %w", err)
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return "", errors.New("RAPI's certificate file holds no certificate")
		}
		if block.Type == "CERTIFICATE" {
			sum := sha256.Sum256(block.Bytes)
			return hex.EncodeToString(sum[:]), nil
		}
	}
}
