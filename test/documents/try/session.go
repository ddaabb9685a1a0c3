package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"ganeticache/test/documents/markdown"
)

// patience is how long a command may take on a busy machine.
const patience = 3 * time.Minute

// session is one shell, in which all commands of a document are typed.
type session struct {
	*machine
	options
	out   io.Writer
	shell *exec.Cmd
	stdin io.WriteCloser
	// ended has the exit status of each command; the shell's end closes it.
	ended chan int
	typed int
}

// newSession starts the shell in processes of its own, which end with it.
func newSession(ctx context.Context, m *machine, o options, out io.Writer) (*session, error) {
	s := &session{machine: m, options: o, out: out, ended: make(chan int)}
	status, pipe, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer pipe.Close()
	s.shell = exec.CommandContext(context.WithoutCancel(ctx), "/bin/bash", "--noprofile", "--norc")
	s.shell.SysProcAttr = &syscall.SysProcAttr{Chroot: m.root, Cloneflags: syscall.CLONE_NEWPID, Setsid: true, Pdeathsig: syscall.SIGKILL}
	s.shell.Dir, s.shell.ExtraFiles, s.shell.Stderr = sources, []*os.File{pipe}, os.Stderr
	s.shell.Env = []string{
		"HOME=/root", "PATH=" + private + "/bin:" + os.Getenv("PATH") + ":/usr/sbin:/sbin", "LC_ALL=C.UTF-8", "TERM=dumb",
		"GOPROXY=off", "GOTOOLCHAIN=local", "GOCACHE=" + m.caches[1], "GOMODCACHE=" + m.caches[2], "GOFLAGS=" + os.Getenv("GOFLAGS"),
		"SOURCES=" + sources, "RAPI_PASSWORD=" + password,
	}
	if s.stdin, err = s.shell.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.shell.Start(); err != nil {
		return nil, fmt.Errorf("starting a shell: %w", err)
	}
	go func() {
		defer close(s.ended)
		defer status.Close()
		for lines := bufio.NewScanner(status); lines.Scan(); {
			code, _ := strconv.Atoi(lines.Text()) //nolint:errcheck // the shell writes numbers
			s.ended <- code
		}
	}()
	// Processes of their own are seen in a /proc of their own. An interrupt is for what the shell runs. A pipe that fails fails.
	// A reader's shell knows aliases.
	_, err = fmt.Fprintln(s.stdin, "mount -t proc proc /proc; trap : INT; set -o pipefail; shopt -s expand_aliases")
	return s, err
}

// prepare makes what the reader of a document has already.
func (s *session) prepare(ctx context.Context, script string) error {
	if script == "" {
		return nil
	}
	_, err := s.enter(ctx, markdown.Command{At: "the scene", Text: script})
	return err
}

// block does with a block of code what a reader would.
func (s *session) block(ctx context.Context, b markdown.Block) (n int, err error) {
	switch b.Language {
	case "yaml":
		if b.Mark != "" {
			return 0, nil
		}
		// A configuration is written where the next command looks for it, and to the place for a service; keys are added.
		how := os.O_APPEND
		if strings.Contains(b.Text, "database_url:") {
			how = os.O_TRUNC
		}
		text := s.filled(b.Text)
		return 0, errors.Join(s.write(sources+"/config.yaml", text, how), s.write("/etc/ganeti-cache-updater/config.yaml", text, how))
	case "cron":
		return s.crontab(ctx, b)
	case "sh", "console":
	default:
		return 0, nil
	}
	commands, err := b.Commands(ctx)
	if err != nil {
		return 0, err
	}
	for _, c := range commands {
		first, _, _ := strings.Cut(typedAlone(c), "\n")
		if err := s.prepare(ctx, between[b.Document+": "+first]); err != nil {
			return n, fmt.Errorf("%s: what stands before it: %w", c.At, err)
		}
		said, err := s.enter(ctx, c)
		if err == nil {
			err = compare(s.filled(strings.Join(c.Output, "\n")), said, !lasts(c))
		}
		if err == nil {
			err = answered(c.Text, said)
		}
		if err != nil {
			return n, fmt.Errorf("%s: %s%w", c.At, c.Text, err)
		}
		n++
	}
	return n, nil
}

// cronLine is an entry of /etc/cron.d: five fields, a user, a command.
var cronLine = regexp.MustCompile(`^(?:\S+ ){5}(\S+) (.+)$`)

// crontab runs each entry once, as cron would: by sh, as the user, in the user's home, with the lines above as environment.
func (s *session) crontab(ctx context.Context, b markdown.Block) (n int, err error) {
	for i, line := range strings.Split(strings.TrimSpace(b.Text), "\n") {
		entry := cronLine.FindStringSubmatch(line)
		if entry == nil {
			continue
		}
		run := fmt.Sprintf("runuser -u %s -- env -i PATH=/usr/bin:/bin sh -c '%s'", entry[1], strings.ReplaceAll(entry[2], "'", `'\''`))
		if said, err := s.enter(ctx, markdown.Command{At: b.At(i), Text: run}); err != nil {
			return n, fmt.Errorf("%s: %w\n%s", b.At(i), err, said)
		}
		n++
	}
	if n == 0 {
		return 0, fmt.Errorf("%s: no entry for cron", b.At(0))
	}
	return n, nil
}

// enter types a command and returns what it printed; another status than 0 is an error, but for what was interrupted.
func (s *session) enter(ctx context.Context, c markdown.Command) (string, error) {
	s.typed++
	base := fmt.Sprintf("%s/%d", private, s.typed)
	if err := errors.Join(s.write(base+".sh", s.filled(c.Text), os.O_TRUNC), s.write(base+".in", cmp.Or(answers[typedAlone(c)], password)+"\n", os.O_TRUNC),
		s.write(base+".out", "", os.O_TRUNC)); err != nil {
		return "", err
	}
	output := func() string {
		said, _ := os.ReadFile(s.path(base + ".out")) //nolint:errcheck // it was made above
		return string(said)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	long := lasting[typedAlone(c)]
	run := fmt.Sprintf(". %[1]s.sh <%[1]s.in >%[1]s.out 2>&1 3>&-; echo $? >&3", base)
	if long.keep {
		run = fmt.Sprintf("setsid bash %[1]s.sh <%[1]s.in >%[1]s.out 2>&1 3>&- &", base)
	}
	if _, err := fmt.Fprintln(s.stdin, run); err != nil {
		return "", fmt.Errorf("typing: %w", err)
	}
	if lasts(c) {
		if err := s.await(ctx, long, output); err != nil || long.keep {
			return output(), err
		}
	}
	code, err := s.end(ctx)
	if s.verbose {
		fmt.Fprintf(s.out, "%s: %s%s", c.At, c.Text, output())
	}
	if err == nil && code != 0 && !lasts(c) {
		err = fmt.Errorf("exit status %d", code)
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, output())
	}
	return output(), err
}

// typedAlone is a command without the comment behind it.
func typedAlone(c markdown.Command) string {
	text, _, _ := strings.Cut(c.Text, " #")
	return strings.TrimSpace(text)
}

// lasts says whether a command runs until it is told to stop.
func lasts(c markdown.Command) bool { return lasting[typedAlone(c)].until != nil }

// await waits until a command that runs until it is told to stop has printed what it is run for, and then interrupts it,
// as the reader would.
func (s *session) await(ctx context.Context, l long, output func() string) error {
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for !l.until.MatchString(output()) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %q: %w\n%s", l.until, ctx.Err(), output())
		case code := <-s.ended:
			return fmt.Errorf("exit status %d before it printed %q\n%s", code, l.until, output())
		case <-poll.C:
		}
	}
	if l.keep {
		return nil
	}
	return syscall.Kill(-s.shell.Process.Pid, syscall.SIGINT)
}

func (s *session) end(ctx context.Context) (int, error) {
	select {
	case code, ok := <-s.ended:
		if !ok {
			return 0, errors.New("it ended the shell")
		}
		return code, nil
	case <-ctx.Done():
		return 0, fmt.Errorf("it does not end: %w", ctx.Err())
	}
}

// close ends the shell, the first of its processes, and so all of them.
func (s *session) close() error {
	err := s.shell.Process.Kill()
	_ = s.shell.Wait() //nolint:errcheck // it was killed
	for range s.ended {
	}
	for _, name := range []string{"proc"} {
		err = errors.Join(err, syscall.Unmount(filepath.Join(s.root, name), syscall.MNT_DETACH))
	}
	return err
}
