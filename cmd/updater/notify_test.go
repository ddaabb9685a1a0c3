package main_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ganeticache/ganeti/rapisim"
)

// manager stands in for systemd: it has the socket to which the service speaks.
type manager struct {
	*net.UnixConn
}

// patience is how long a message may take on a busy machine.
const patience = time.Minute

// message gives the next message, or false when none comes for so long.
func (m manager) message(t *testing.T, within time.Duration) (string, bool) {
	t.Helper()
	if err := m.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 4096)
	n, err := m.Read(buffer)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "", false
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(buffer[:n]), true
}

// until reads on to a message that matches, and gives what came before it and itself.
func (m manager) until(t *testing.T, pattern string) []string {
	t.Helper()
	var said []string
	wanted := regexp.MustCompile(pattern)
	for end := time.Now().Add(patience); ; {
		message, ok := m.message(t, time.Until(end))
		if !ok {
			t.Fatalf("waited for %q, heard %q", pattern, said)
		}
		said = append(said, message)
		if wanted.MatchString(message) {
			return said
		}
	}
}

// service is the daemon as a service of the manager.
type service struct {
	manager

	cmd  *exec.Cmd
	farm *rapisim.Farm
	// config is the configuration file.
	config string
}

// watchdog is the time after which the manager would end the service: the shortest that whole seconds allow.
const watchdog = 2 * time.Second

// startService starts the daemon on two simulated clusters that are refreshed every second.
func startService(t *testing.T, stderr io.Writer, args ...string) *service {
	t.Helper()
	dir := t.TempDir()
	farm, err := rapisim.NewFarm(2, rapisim.Options{Name: "sim.example", VMs: 5, Username: "gwm", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(farm.Close)
	one, two := farm.Servers()[0], farm.Servers()[1]
	text := "schedule: \"@every 1s\"\n" +
		strings.NewReplacer("RAPI1", one.URL(), "RAPI2", two.URL(), "PIN1", one.Pin(), "PIN2", two.Pin()).Replace(twoClusters)
	s := &service{farm: farm, config: filepath.Join(dir, "config.yaml")}
	for name, content := range map[string]string{s.config: text, filepath.Join(dir, "password"): password} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sockets, err := os.MkdirTemp("", "notify") //nolint:usetesting // the path of a socket is short, that of t.TempDir is not
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	address := filepath.Join(sockets, "s")
	if s.UnixConn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.cmd = exec.CommandContext(t.Context(), "updater", append(args, "--config", "config.yaml")...)
	s.cmd.Dir, s.cmd.Stderr = dir, stderr
	s.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+address, fmt.Sprintf("WATCHDOG_USEC=%d", watchdog.Microseconds()))
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			err := errors.Join(s.cmd.Process.Kill(), s.cmd.Wait())
			if _, killed := errors.AsType[*exec.ExitError](err); !killed {
				t.Error(err)
			}
		}
	})
	return s
}

func (s *service) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

func TestNotify_LifeOfTheDaemon(t *testing.T) {
	t.Parallel()
	s := startService(t, t.Output())
	if said := s.until(t, "^READY=1$"); len(said) != 1 {
		t.Errorf("before the service was ready it said %q", said)
	}
	s.until(t, "^STATUS=clusters: 2 fresh, 0 failing$")
	s.farm.Servers()[1].Hurt(rapisim.Status(401))
	s.until(t, `^STATUS=clusters: 1 fresh, 1 failing \(two\)$`)
	for range 3 {
		s.until(t, "^WATCHDOG=1$")
	}
	for _, add := range []string{"log: {level: debug}\n", "nonsense: 1\n"} {
		text, err := os.ReadFile(s.config)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.config, append(text, add...), 0o600); err != nil {
			t.Fatal(err)
		}
		s.signal(t, syscall.SIGHUP)
		s.until(t, `^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*\n$`)
		s.until(t, "^READY=1$")
	}
	s.signal(t, syscall.SIGTERM)
	s.until(t, "^STOPPING=1\nSTATUS=")
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("the service ended with %v", err)
	}
	if message, ok := s.message(t, time.Millisecond); ok {
		t.Errorf("after its last word the service said %q", message)
	}
}

func TestNotify_WatchdogIsFedWhileAClusterHangs(t *testing.T) {
	t.Parallel()
	s := startService(t, t.Output())
	s.until(t, "^STATUS=clusters: 2 fresh")
	s.farm.Servers()[0].Hurt(rapisim.Hang())
	for begun := time.Now(); time.Since(begun) < 3*watchdog; {
		s.until(t, "^WATCHDOG=1$")
	}
}

// leaveRoom fills a pipe but for so many bytes.
func leaveRoom(t *testing.T, reader, writer *os.File, room int64) {
	t.Helper()
	if err := writer.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	junk := make([]byte, 1<<10)
	for {
		if _, err := writer.Write(junk); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.CopyN(io.Discard, reader, room); err != nil {
		t.Fatal(err)
	}
}

// The log goes into a pipe that nobody reads, and the schedule stops when it wants to write there: at debug level cron
// itself writes.
func TestNotify_WatchdogStarvesWhileTheSchedulerIsBlocked(t *testing.T) {
	t.Parallel()
	log, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	leaveRoom(t, log, stderr, 16<<10)
	s := startService(t, stderr, "--log-level", "debug")
	if err := stderr.Close(); err != nil {
		t.Fatal(err)
	}
	s.until(t, "^WATCHDOG=1$")
	for begun := time.Now(); ; {
		if _, ok := s.message(t, 2*watchdog); !ok {
			break
		}
		if time.Since(begun) > 2*patience {
			t.Fatal("the service still feeds the watchdog with its log blocked")
		}
	}
	// It was blocked and nothing else: with somebody who reads, it goes on.
	read := make(chan error)
	go func() {
		_, err := io.Copy(io.Discard, log)
		read <- err
	}()
	s.until(t, "^WATCHDOG=1$")
	s.signal(t, syscall.SIGTERM)
	if err := errors.Join(<-read, s.cmd.Wait()); err != nil {
		t.Error(err)
	}
}
