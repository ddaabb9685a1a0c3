package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// shell runs a script for a stub, its output beside the stub's.
func shell(text string, args ...string) error {
	cmd := exec.Command("bash", append([]string{"-ec", text, "bash"}, args...)...) //nolint:gosec,noctx // the rig's own scripts; they end with the shell
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

// dryRun has make say what it would do: the target exists, and its recipe expands.
func dryRun(c call) error {
	return shell(`PATH=${PATH#*:} make --dry-run "$@" >/dev/null`, append(strings.Fields(c.verb.words), c.args...)...)
}

// programFlags asks a Go program for its flags, which must have those that the table knows.
func programFlags(c call) error {
	folder := strings.Fields(c.verb.words)[1]
	said, _ := exec.Command("bash", "-c", `PATH=${PATH#*:} go run "$1" -h`, "bash", folder).CombinedOutput() //nolint:gosec,noctx,errcheck // -h is status 2
	var errs []error
	for name := range c.flags {
		if !regexp.MustCompile(`(?m)^  ` + name + `\b`).Match(said) {
			errs = append(errs, fmt.Errorf("%s has no flag %s:\n%s", folder, name, said))
		}
	}
	return errors.Join(errs...)
}

// script says whether the program that the stub stands in for is one.
func script(c call) error { return shell(`test -x "$1" && bash -n "$1"`, c.program+original) }

// there fails for files that are not.
func there(names ...string) error {
	for _, name := range names {
		if _, err := os.Stat(name); err != nil { //nolint:gosec // what the document says
			return err
		}
	}
	return nil
}

// here demands files in the folder in which the program is called.
func here(names ...string) func(call) error { return func(call) error { return there(names...) } }

// flagFiles demands the files that flags name.
func flagFiles(c call) error {
	var errs []error
	for _, flag := range []string{"-f", "--file", "-k", "--from-file"} {
		for _, value := range c.flags[flag] {
			_, file, named := strings.Cut(value, "=")
			if !named {
				file = value
			}
			errs = append(errs, there(file))
		}
	}
	return errors.Join(errs...)
}

// secretFile is where compose.yaml names the file of a secret.
var secretFile = regexp.MustCompile(`\{file: ([^}]+)\}`)

// composition demands compose.yaml in the folder, the files of all its secrets, and the service that is named.
func composition(c call) error {
	text, err := os.ReadFile("compose.yaml")
	if err != nil {
		return err
	}
	var errs []error
	for _, match := range secretFile.FindAllSubmatch(text, -1) {
		errs = append(errs, there(string(match[1])))
	}
	if len(c.args) > 0 && !bytes.Contains(text, []byte("\n  "+c.args[0]+":\n")) {
		errs = append(errs, fmt.Errorf("compose.yaml has no service %s", c.args[0]))
	}
	return errors.Join(errs...)
}

// install does what installing our package does to the files; other packages are there, or what needs them fails.
func install(c call) error {
	for _, arg := range c.args {
		if strings.HasPrefix(filepath.Base(arg), "ganeti-cache-updater_") {
			return shell(installed)
		}
	}
	return nil
}

// installed puts in place what the Debian package has.
const installed = `
make -s -C "$SOURCES" install PREFIX=/usr UNITDIR=/usr/lib/systemd/system
systemd-sysusers ganeti-cache-updater.conf
systemd-tmpfiles --create ganeti-cache-updater.conf
`
