package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// debian is an installed system in a folder. Nothing runs in it but what is started by it, and it shares the network.
type debian struct{ root string }

// bootstrap installs a minimal Debian, with the systemd that every server has.
func bootstrap(ctx context.Context, o options, root string) (debian, error) {
	if o.mirror == "" {
		var err error
		if o.mirror, err = ownMirror(ctx, o.suite); err != nil {
			return debian{}, err
		}
	}
	_, err := command(ctx, "mmdebstrap", "--quiet", "--variant=apt", "--include=systemd", "--format=directory",
		`--aptopt=Acquire::Languages "none"`, "--dpkgopt=force-unsafe-io", o.suite, root, o.mirror)
	return debian{root}, err
}

// ownMirror is where this machine's apt gets a release from. Without its lists, as in a new container, apt does not say.
func ownMirror(ctx context.Context, suite string) (string, error) {
	mirror, err := mirrorOf(ctx, suite)
	if err != nil || mirror != "" {
		return mirror, err
	}
	if _, err := command(ctx, "apt-get", "-qq", "update"); err != nil {
		return "", err
	}
	mirror, err = mirrorOf(ctx, suite)
	if err == nil && mirror == "" {
		err = fmt.Errorf("this machine's apt has no source of %s: give a mirror with -mirror", suite)
	}
	return mirror, err
}

func mirrorOf(ctx context.Context, suite string) (string, error) {
	found, err := command(ctx, "apt-get", "indextargets", "--format", "$(REPO_URI)", "Identifier: Packages", "Release: "+suite)
	mirror, _, _ := strings.Cut(found, "\n")
	return mirror, err
}

// inside gives the command that runs the program in the system as root, in a world of mounts of its own, so that none is
// left. exec all along: the process is the program's, for signals.
func (d debian) inside(ctx context.Context, env []string, program ...string) *exec.Cmd {
	const enter = `root=$1; shift; mount -t proc proc "$root/proc" && exec chroot "$root" env -i "$@"`
	args := []string{"--mount", "--propagation", "private", "sh", "-c", enter, "sh", d.root, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	cmd := exec.CommandContext(ctx, "unshare", append(append(args, env...), program...)...) //nolint:gosec // the trial's own programs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// sh runs a script in the system and returns what it printed; nobody is there to be asked.
func (d debian) sh(ctx context.Context, script string) (string, error) {
	return output(d.inside(ctx, []string{"DEBIAN_FRONTEND=noninteractive"}, "sh", "-ec", script), script)
}

// path gives the place of a file of the system.
func (d debian) path(name string) string { return filepath.Join(d.root, name) }

// bring copies a file into the folder /root of the system.
func (d debian) bring(file string) error {
	content, err := os.ReadFile(file) //nolint:gosec // the trial's own file
	if err == nil {
		err = os.WriteFile(d.path("/root/"+filepath.Base(file)), content, 0o644) //nolint:gosec // apt reads it as a user of its own
	}
	if err != nil {
		return fmt.Errorf("bringing %s: %w", file, err)
	}
	return nil
}

// there says that the files exist.
func (d debian) there(names ...string) error { return d.look(true, names) }

// gone says that the files do not.
func (d debian) gone(names ...string) error { return d.look(false, names) }

func (d debian) look(wanted bool, names []string) error {
	var errs []error
	for _, name := range names {
		switch _, err := os.Lstat(d.path(name)); {
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			errs = append(errs, err)
		case err == nil && !wanted:
			errs = append(errs, fmt.Errorf("%s is there", name))
		case err != nil && wanted:
			errs = append(errs, fmt.Errorf("%s is missing", name))
		}
	}
	return errors.Join(errs...)
}

// quiet says that no process runs in the system.
func (d debian) quiet() error {
	roots, err := filepath.Glob("/proc/[0-9]*/root")
	if err != nil {
		return err
	}
	for _, link := range roots {
		// A process that has just ended has none.
		if root, err := os.Readlink(link); err == nil && root == d.root {
			return fmt.Errorf("process %s runs", filepath.Base(filepath.Dir(link)))
		}
	}
	return nil
}

// command runs a program of this machine and returns what it printed.
func command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the trial's own programs
	return output(cmd, name+" "+strings.Join(args, " "))
}

// output runs a command; an error has what it printed, since that says why.
func output(cmd *exec.Cmd, what string) (string, error) {
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	if err := cmd.Run(); err != nil {
		return both.String(), fmt.Errorf("running %s: %w\n%s", what, err, both.String())
	}
	return both.String(), nil
}
