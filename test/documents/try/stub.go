package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// stub stands in for a program that cannot do its work here.
type stub struct {
	// program is its name, or its place in the sources.
	program string
	// why it does not run, and who tries it instead.
	why string
	// verbs are the uses that the documents may make of it.
	verbs []verb
}

// verb is one use of a program: its leading words, its flags (those that take a value with "=") and what else must hold.
type verb struct {
	words, flags string
	check        func(c call) error
}

// call is what was typed.
type call struct {
	program string
	verb    verb
	flags   map[string][]string
	args    []string
}

// original is what a program of the sources that a stub stands in for is called meanwhile.
const original = ".original"

// through are the programs that run for real unless the table says otherwise.
const through = " make go "

// stubNamed finds what a program that was called by a link stands in for.
func stubNamed(path string) (stub, bool) {
	var found stub
	for _, s := range stubs {
		if s.program == path || s.program == filepath.Base(path) && !strings.Contains(s.program, "/") {
			found.program, found.verbs = s.program, append(found.verbs, s.verbs...)
		}
	}
	return found, found.program != ""
}

// run checks a call, notes it, and does what the rest of the document needs.
func (s stub) run(args []string) int {
	c, err := s.parse(args)
	if errors.Is(err, errUnknown) && strings.Contains(through, " "+s.program+" ") {
		err = s.runReal(args)
	} else if err == nil {
		err = note(strings.TrimSpace(s.program + " " + c.verb.words))
		if c.verb.check != nil {
			err = errors.Join(err, c.verb.check(c))
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s %s: %v\n", s.program, strings.Join(args, " "), err)
		return 1
	}
	return 0
}

var errUnknown = errors.New("no such use in the table of stubs (test/documents/try/stubs.go)")

// parse finds the verb whose words the call has, flags left aside, and takes the flags by it.
func (s stub) parse(args []string) (call, error) {
	for _, v := range s.verbs {
		words := strings.Fields(v.words)
		c := call{program: s.program, verb: v, flags: make(map[string][]string)}
		err := c.take(args, len(words))
		if len(c.args) >= len(words) && slices.Equal(c.args[:len(words)], words) {
			c.args = c.args[len(words):]
			return c, err
		}
	}
	return call{}, errUnknown
}

// take sorts arguments into flags and others. Behind "--", or the first argument behind the words where the flag "..." is
// known, all belongs to another program.
func (c *call) take(args []string, words int) error {
	known := strings.Fields(c.verb.flags)
	var unknown error
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" || slices.Contains(known, "...") && len(c.args) > words {
			c.args = append(c.args, args[i:]...)
			return unknown
		}
		if !strings.HasPrefix(arg, "-") || arg == "-" {
			c.args = append(c.args, arg)
			continue
		}
		name, value, given := strings.Cut(arg, "=")
		switch {
		case slices.Contains(known, name) && !given:
		case slices.Contains(known, name+"=") && given:
		case slices.Contains(known, name+"=") && i+1 < len(args):
			i++
			value = args[i]
		default:
			unknown = errors.Join(unknown, fmt.Errorf("the flag %s is not one of %s", arg, c.verb.flags))
		}
		c.flags[name] = append(c.flags[name], value)
	}
	return unknown
}

// note adds to the list of what stubs were called for.
func note(use string) error {
	f, err := os.OpenFile(private+"/stood", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666) //nolint:gosec // users of services run stubs, too
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, use)
	return errors.Join(err, f.Close())
}

// runReal becomes the program that the stub stands before in PATH.
func (s stub) runReal(args []string) error {
	for _, folder := range filepath.SplitList(os.Getenv("PATH")) {
		path, err := exec.LookPath(filepath.Join(folder, s.program))
		if err == nil && folder != private+"/bin" {
			return syscall.Exec(path, append([]string{s.program}, args...), os.Environ()) //nolint:gosec // what the document says
		}
	}
	return fmt.Errorf("%s is not installed", s.program)
}
