// Package manifests_test holds deploy/kubernetes and deploy/compose against the types of Kubernetes, the schema of Compose
// and the updater itself. It is a module of its own: the updater needs none of them.
package manifests_test

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"testing"
)

func TestMain(m *testing.M) {
	flag.String("updater", "", "the updater's binary; make manifests-check gives it")
	flag.Parse()
	os.Exit(m.Run())
}

// understood fails unless the updater takes a configuration. That its database cannot be reached is no matter here.
func understood(t *testing.T, file string) {
	t.Helper()
	program := flag.Lookup("updater").Value.String()
	if program == "" {
		t.Fatal("which updater? make manifests-check says it by -updater")
	}
	cmd := exec.CommandContext(t.Context(), program, "check", "--quick", "--config", file)
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	exit := (*exec.ExitError)(nil)
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Errorf("%v\n%s", err, out)
	}
}
