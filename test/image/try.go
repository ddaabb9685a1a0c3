package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// try unpacks the image and runs the updater in it, as its user and with nothing else there: a demo that fills a SQLite
// file in the state directory, then the health check.
func (i *image) try() (err error) {
	root, err := os.MkdirTemp("", "image")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	if err := i.unpack(root); err != nil {
		return fmt.Errorf("unpacking the image: %w", err)
	}
	for _, step := range []struct {
		want string
		args []string
	}{
		{"updater ", []string{"version"}},
		{"demo", []string{"demo", "--for", "2s"}},
		{"schema up to date", []string{"check", "--quick", "--database", "sqlite:ganeti-cache-demo.db"}},
	} {
		out, err := i.start(root, step.args)
		if err != nil {
			return fmt.Errorf("running %s in the image: %w\n%s", strings.Join(step.args, " "), err, out)
		}
		if !strings.Contains(out, step.want) {
			return fmt.Errorf("%s in the image does not say %q:\n%s", strings.Join(step.args, " "), step.want, out)
		}
		fmt.Fprintf(os.Stdout, "ran in the image's files as %d: %s\n", nobody, strings.Join(step.args, " "))
	}
	return nil
}

func (i *image) start(root string, args []string) (string, error) {
	cmd := exec.Command(program, args...) //nolint:gosec,noctx // the arguments are above; each ends by itself
	cmd.Env = i.config.Config.Env
	cmd.Dir = i.config.Config.WorkingDir
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (i *image) unpack(root string) error {
	if err := os.Chmod(root, 0o755); err != nil { //nolint:gosec // the image's user has to enter it
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(i.files)) {
		e, path := i.files[name], filepath.Join(root, name)
		mode := e.FileInfo().Mode().Perm()
		var err error
		if e.Typeflag == tar.TypeDir {
			err = os.Mkdir(path, mode) //nolint:gosec // the archive is of our own making
		} else {
			err = os.WriteFile(path, e.content, mode) //nolint:gosec // likewise
		}
		if err := errors.Join(err, os.Chown(path, e.Uid, e.Gid), os.Chmod(path, mode)); err != nil { //nolint:gosec // likewise
			return err
		}
	}
	return nil
}
