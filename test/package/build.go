package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// build makes a package from the sources in dir and returns its file. The environment has more for deploy/debian/build.
func build(ctx context.Context, dir, deb string, env ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "deploy/debian/build", runtime.GOARCH) //nolint:gosec // our own program
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "DEB_VERSION="+deb), env...)
	if _, err := output(cmd, "deploy/debian/build"); err != nil {
		return "", err
	}
	return filepath.Join(dir, "bin", "deb", "ganeti-cache-updater_"+deb+"_"+runtime.GOARCH+".deb"), nil
}

// copySources puts the sources as they are here into another folder, with what has been built for the build itself.
func copySources(ctx context.Context, to string) error {
	if err := os.Mkdir(to, 0o700); err != nil {
		return fmt.Errorf("making a second source folder: %w", err)
	}
	nfpm := os.Getenv("NFPM")
	if nfpm == "" {
		return errors.New("NFPM is not set; run it by: make deb-check")
	}
	const all = `{ git ls-files -z --cached --others --exclude-standard; printf '%s\0' bin/updater "$1"; } |
		tar --create --null --files-from=- --ignore-failed-read | tar --extract --directory="$2"`
	_, err := command(ctx, "sh", "-ec", all, "sh", nfpm, to)
	return err
}

// sameTwice builds the package here, and once more elsewhere: in another folder and time zone, for another user.
func (t *trial) sameTwice(ctx context.Context) error {
	epoch, err := command(ctx, "git", "log", "-1", "--format=%ct")
	if err != nil {
		return err
	}
	epoch = "SOURCE_DATE_EPOCH=" + strings.TrimSpace(epoch)
	if t.first, err = build(ctx, ".", oldVersion, epoch); err != nil {
		return err
	}
	elsewhere := filepath.Join(t.folder, "elsewhere")
	if err := copySources(ctx, elsewhere); err != nil {
		return err
	}
	caches, err := command(ctx, "go", "env", "GOCACHE", "GOMODCACHE")
	if err != nil {
		return err
	}
	built, downloaded, _ := strings.Cut(strings.TrimSpace(caches), "\n")
	second, err := build(ctx, elsewhere, oldVersion, epoch, "TZ=Pacific/Auckland", "HOME="+t.folder, "USER=somebody",
		"GOCACHE="+built, "GOMODCACHE="+downloaded)
	if err != nil {
		return err
	}
	a, errA := os.ReadFile(t.first)
	b, errB := os.ReadFile(second) //nolint:gosec // the trial's own file
	if err := errors.Join(errA, errB, os.RemoveAll(elsewhere)); err != nil {
		return fmt.Errorf("reading the two packages: %w", err)
	}
	if !bytes.Equal(a, b) {
		return fmt.Errorf("the checksums differ: %x and %x", sha256.Sum256(a), sha256.Sum256(b))
	}
	return nil
}
