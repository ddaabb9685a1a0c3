// Command try types what the documents say. It takes every command of every Markdown document, in the order in which a
// reader meets them, and runs it in a shell of its own on a copy of this machine (an overlay that is thrown away), in
// namespaces of its own: simulated clusters answer at rapi.example.org and its likes, a private PostgreSQL at
// db.example.org. What a transcript shows is compared with what comes out, by its shape. Programs that cannot do their
// work here are in one table (stubs.go), each with the reason, and check what they are given. It needs root.
//
//	go run ./test/documents/try                      # by make docs-check, which builds the updater first
//	go run ./test/documents/try -only install -v
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"ganeticache/test/documents/markdown"
)

// inside is set for the process that has its own namespaces.
const inside = "DOCUMENTS_INSIDE"

type options struct {
	only    *regexp.Regexp
	verbose bool
}

func main() {
	if s, ok := stubNamed(os.Args[0]); ok {
		os.Exit(s.run(os.Args[1:]))
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	f := flag.NewFlagSet("try", flag.ContinueOnError)
	f.SetOutput(stderr)
	only := f.String("only", "", "try the documents whose names match this `regexp`")
	f.BoolVar(&o.verbose, "v", false, "print each command and what it prints")
	if err := f.Parse(args); err != nil {
		return 2
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		fmt.Fprintln(stderr, "try: -only:", err)
		return 2
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(stderr, "try: mounts and namespaces need root; run it as root, for example in a container")
		return 2
	}
	if os.Getenv(inside) == "" {
		err = enter(ctx, args)
	} else {
		err = try(ctx, o, stdout)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && os.Getenv(inside) == "" {
		return max(exit.ExitCode(), 1)
	}
	if err != nil {
		fmt.Fprintln(stderr, "try:", err)
		return 1
	}
	return 0
}

// enter runs this program again where its mounts, ports and processes are nobody else's, and end with it.
func enter(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...) //nolint:gosec // this program
	cmd.Stdout, cmd.Stderr, cmd.Env = os.Stdout, os.Stderr, append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL,
	}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd.Run()
}

// documents returns those that have code, by name.
func documents(ctx context.Context) (names []string, err error) {
	listed, err := command(ctx, "git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md")
	return strings.Fields(listed), err
}

// try goes through the documents. One that fails does not keep the others from being tried.
func try(ctx context.Context, o options, out io.Writer) (err error) {
	r, err := newRig(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	names, err := documents(ctx)
	if err != nil {
		return err
	}
	var failed []error
	if err := mentions(ctx, names, out); err != nil {
		failed = append(failed, err)
		fmt.Fprintf(out, "BAD sentences: %v\n", err)
	}
	all := 0
	for _, name := range names {
		if !o.only.MatchString(name) {
			continue
		}
		begun := time.Now()
		n, err := r.document(ctx, name, o, out)
		all += n
		if err != nil {
			failed = append(failed, err)
			fmt.Fprintf(out, "BAD %-30s %s\n", name, strings.TrimSpace(err.Error()))
		} else if n > 0 {
			fmt.Fprintf(out, "ok  %-30s %2d commands %5.1fs\n", name, n, time.Since(begun).Seconds())
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("%d documents say what does not work", len(failed))
	}
	if all == 0 {
		return errors.New("no command was found")
	}
	fmt.Fprintf(out, "%d commands were run, but for those that stubs stood in for:\n%s", all, r.stood())
	return nil
}

// document types the commands of one document and returns how many there were.
func (r *rig) document(ctx context.Context, name string, o options, out io.Writer) (n int, err error) {
	text, err := os.ReadFile(name) //nolint:gosec // the repository's own file
	if err != nil {
		return 0, err
	}
	blocks, err := markdown.Blocks(name, string(text))
	if err != nil || !typed(blocks) {
		return 0, err
	}
	m, err := r.newMachine(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	s, err := newSession(ctx, m, o, out)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.prepare(ctx, scenes[name]); err != nil {
		return 0, fmt.Errorf("%s: what it presumes: %w", name, err)
	}
	for _, b := range blocks {
		typed, err := s.block(ctx, b)
		n += typed
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// typed says whether a document has anything to type.
func typed(blocks []markdown.Block) bool {
	for _, b := range blocks {
		switch b.Language {
		case "sh", "console", "cron":
			return true
		}
	}
	return false
}

// command runs a program and returns its output; an error has it, since that says why.
func command(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // the rig's own programs
	said, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("running %s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, said)
	}
	return string(said), nil
}
