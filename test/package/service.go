package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// unit is what a unit file says, section and all, the last value of each key.
type unit map[string]string

const serviceUnit = "/usr/lib/systemd/system/ganeti-cache-updater.service"

func readUnit(file string) (unit, error) {
	text, err := os.ReadFile(file) //nolint:gosec // a file of the trial's Debian
	if err != nil {
		return nil, fmt.Errorf("reading the unit: %w", err)
	}
	u := unit{}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			u[key] = value
		}
	}
	for _, key := range []string{"ExecStart", "User", "StateDirectory", "StateDirectoryMode", "UMask", "Type", "Environment"} {
		if u[key] == "" {
			return nil, fmt.Errorf("the unit says nothing of %s", key)
		}
	}
	return u, nil
}

// service is the daemon, started without systemd but as its unit says.
type service struct {
	cmd    *exec.Cmd
	notify *net.UnixConn
	log    *os.File
	done   chan error
}

// patience is how long the service may take to be ready or to end on a busy machine.
const patience = 2 * time.Minute

// start does what systemd does for the unit, as far as a process can do it to itself: state directory, user, no
// capabilities and no way to gain any, umask, environment, no core file; and waits until the service is ready.
func (d debian) start(ctx context.Context) (*service, error) {
	u, err := readUnit(d.path(serviceUnit))
	if err != nil {
		return nil, err
	}
	state := "/var/lib/" + u["StateDirectory"]
	if _, err := d.sh(ctx, fmt.Sprintf("mkdir -p %[1]s && chown %[2]s: %[1]s && chmod %[3]s %[1]s", state, u["User"], u["StateDirectoryMode"])); err != nil {
		return nil, err
	}
	s := &service{done: make(chan error, 1)}
	if err := s.listen(d.path("/run/notify")); err != nil {
		return nil, err
	}
	if s.log, err = os.Create(d.path("/run/updater.log")); err != nil {
		return nil, errors.Join(fmt.Errorf("making the log: %w", err), s.notify.Close())
	}
	const limited = `umask "$1"; cd "$2"; user=$3; shift 3
exec prlimit --core=0 setpriv --reuid="$user" --regid="$user" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"`
	program := append([]string{"sh", "-ec", limited, "sh", u["UMask"], state, u["User"]}, strings.Fields(u["ExecStart"])...)
	s.cmd = d.inside(context.WithoutCancel(ctx), []string{u["Environment"], "NOTIFY_SOCKET=/run/notify"}, program...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the service: %w", err), s.notify.Close(), s.log.Close())
	}
	go func() { s.done <- s.cmd.Wait() }()
	if err := s.ready(); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// listen opens the socket on which the service says that it is ready.
func (s *service) listen(file string) (err error) {
	if err := os.RemoveAll(file); err != nil {
		return fmt.Errorf("removing the last socket: %w", err)
	}
	// A path of a socket is short, that of the trial's folder may not be: /proc has a shorter one.
	folder, err := os.Open(filepath.Dir(file))
	if err != nil {
		return fmt.Errorf("opening the socket's folder: %w", err)
	}
	defer folder.Close()
	address := fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), filepath.Base(file))
	if s.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"}); err != nil {
		return fmt.Errorf("listening for the service: %w", err)
	}
	return os.Chmod(file, 0o666) //nolint:gosec // the service has a user of its own
}

func (s *service) ready() error {
	if err := s.notify.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	buffer := make([]byte, 4096)
	for {
		n, err := s.notify.Read(buffer)
		if err != nil {
			return fmt.Errorf("waiting for the service to be ready: %w", err)
		}
		if strings.HasPrefix(string(buffer[:n]), "READY=1") {
			return nil
		}
	}
}

// stop ends the service as systemd does. The error has its log.
func (s *service) stop() error {
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case ended := <-s.done:
		err = errors.Join(err, ended)
	case <-timer.C:
		err = errors.Join(errors.New("the service does not end"), s.cmd.Process.Kill(), <-s.done)
	}
	if err != nil {
		log, readErr := os.ReadFile(s.log.Name())
		err = errors.Join(fmt.Errorf("%w; its log:\n%s", err, log), readErr)
	}
	return errors.Join(err, s.notify.Close(), s.log.Close())
}

// abort ends the service as the watchdog does. It must die of the signal: an exit status of 2, with which Go ends a crash
// unless told otherwise, would mean a wrong configuration to the unit, and no restart.
func (s *service) abort() error {
	if err := s.cmd.Process.Signal(syscall.SIGABRT); err != nil {
		return fmt.Errorf("ending the service as a watchdog does: %w", err)
	}
	err := errors.Join(s.notify.Close(), s.log.Close())
	ended := <-s.done
	if exit, ok := errors.AsType[*exec.ExitError](ended); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return err
		}
	}
	return errors.Join(fmt.Errorf("the watchdog's signal ended the service with %w instead of by itself", ended), err)
}
