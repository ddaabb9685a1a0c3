package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Where things are in a machine.
const (
	// sources is the reader's clone, and the folder in which a session begins.
	sources = "/root/ganeti-cache-updater"
	// private is the rig's own folder: stubs, and the commands' input and output.
	private = "/run/documents"
)

// machine is what one document is tried on: all that this one has, below root, and what is changed there is thrown away.
type machine struct {
	*rig
	folder, root string
}

func (r *rig) newMachine(ctx context.Context) (m *machine, err error) {
	if err := r.postgres.fresh(ctx); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(r.folder, "machine-")
	if err != nil {
		return nil, fmt.Errorf("making a machine's folder: %w", err)
	}
	m = &machine{rig: r, folder: folder, root: filepath.Join(folder, "root")}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	for _, name := range []string{m.root, filepath.Join(folder, "upper"), filepath.Join(folder, "work")} {
		if err := os.Mkdir(name, 0o755); err != nil { //nolint:gosec // the root of a machine
			return nil, err
		}
	}
	layers := fmt.Sprintf("lowerdir=/,upperdir=%[1]s/upper,workdir=%[1]s/work", folder)
	if err := syscall.Mount("overlay", m.root, "overlay", 0, layers); err != nil {
		return nil, fmt.Errorf("mounting an overlay over this machine's files: %w", err)
	}
	return m, errors.Join(m.mounts(), m.settle(), m.clone(ctx), m.programs())
}

// mounts puts in place what an overlay of the root leaves out.
func (m *machine) mounts() error {
	for _, folder := range []string{"/tmp", "/run"} {
		if err := syscall.Mount("tmpfs", m.path(folder), "tmpfs", 0, "mode=1777"); err != nil {
			return fmt.Errorf("mounting %s: %w", folder, err)
		}
	}
	binds := map[string]string{"/dev": "/dev", m.postgres.dir: "/run/postgresql"}
	for _, folder := range m.caches {
		binds[folder] = folder
	}
	for _, from := range slices.Sorted(maps.Keys(binds)) {
		to := m.path(binds[from])
		if err := os.MkdirAll(to, 0o755); err != nil { //nolint:gosec // a mount point
			return err
		}
		if err := syscall.Mount(from, to, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
			return fmt.Errorf("mounting %s: %w", from, err)
		}
	}
	return nil
}

// settle makes it a machine of the documents' network on which nothing of ours was ever installed.
func (m *machine) settle() error {
	names := []string{"127.0.0.1 localhost"}
	for name, address := range hosts {
		names = append(names, address+" "+name)
	}
	errs := []error{
		os.MkdirAll(m.path(private), 0o755), //nolint:gosec // users of services run stubs, too
		m.write("/etc/hosts", strings.Join(names, "\n")+"\n", os.O_TRUNC),
		m.write("/etc/ssl/certs/ca-certificates.crt", string(m.postgres.authority), os.O_APPEND),
		m.write("/root/.postgresql/root.crt", string(m.postgres.authority), os.O_TRUNC),
		m.write("/root/.curlrc", "silent\nshow-error\nwrite-out = \"\\n[HTTP %{http_code}]\\n\"\n", os.O_TRUNC),
	}
	for _, name := range []string{"/etc/ganeti-cache-updater", "/var/lib/ganeti-cache-updater", "/etc/default/ganeti-cache-updater"} {
		errs = append(errs, os.RemoveAll(m.path(name)))
	}
	return errors.Join(errs...)
}

// clone copies the sources as they are here, with the updater and the tools that were built for them.
func (m *machine) clone(ctx context.Context) error {
	if err := os.RemoveAll(m.path(sources)); err != nil {
		return err
	}
	const all = `mkdir -p "$1"
{ git ls-files -z --cached --others --exclude-standard; printf 'bin/updater\0'; } |
	tar --create --null --files-from=- --ignore-failed-read | tar --extract --directory="$1"`
	_, err := command(ctx, "bash", "-ec", all, "bash", m.path(sources))
	return err
}

// programs puts the updater under both of its names and the stubs in front of all others in PATH; a stub of a file of the
// clone takes its place.
func (m *machine) programs() error {
	errs := []error{m.copyProgram("bin/updater", "/usr/local/bin/updater"), m.copyProgram("/proc/self/exe", private+"/stub")}
	linked := make(map[string]bool)
	for _, s := range stubs {
		if linked[s.program] {
			continue
		}
		linked[s.program] = true
		place := filepath.Join(private, "bin", s.program)
		if strings.Contains(s.program, "/") {
			place = filepath.Join(sources, s.program)
			errs = append(errs, os.Rename(m.path(place), m.path(place+original)))
		}
		errs = append(errs, os.MkdirAll(filepath.Dir(m.path(place)), 0o755), os.Symlink(private+"/stub", m.path(place))) //nolint:gosec // in PATH
	}
	return errors.Join(errs...)
}

func (m *machine) copyProgram(from, to string) error {
	source, err := os.Open(from) //nolint:gosec // our own program
	if err != nil {
		return fmt.Errorf("is the updater built? %w", err)
	}
	defer source.Close()
	target, err := os.OpenFile(m.path(to), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755) //nolint:gosec // a program
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// path gives the place of one of the machine's files.
func (m *machine) path(name string) string { return filepath.Join(m.root, name) }

// write writes a file of the machine.
func (m *machine) write(name, content string, flag int) error {
	if err := os.MkdirAll(filepath.Dir(m.path(name)), 0o755); err != nil { //nolint:gosec // as the system's own
		return err
	}
	f, err := os.OpenFile(m.path(name), flag|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // likewise
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	return errors.Join(err, f.Close())
}

// close takes the machine away. That which stubs noted is kept by the rig.
func (m *machine) close() error {
	noted, err := os.ReadFile(m.path(private + "/stood"))
	if err == nil {
		var f *os.File
		if f, err = os.OpenFile(filepath.Join(m.rig.folder, "stood"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err == nil {
			_, err = f.Write(noted)
			err = errors.Join(err, f.Close())
		}
	} else if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	// Lazily: the last process may just be ending. umount --recursive knows all that is mounted below.
	unmount := exec.Command("umount", "--recursive", "--lazy", m.root) //nolint:noctx,gosec // also when ctx has ended; our own folder
	if said, umountErr := unmount.CombinedOutput(); umountErr != nil {
		err = errors.Join(err, fmt.Errorf("unmounting a machine: %w\n%s", umountErr, said))
	}
	return errors.Join(err, os.RemoveAll(m.folder))
}
