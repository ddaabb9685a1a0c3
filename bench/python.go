package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// scripts are the peers.
//
//go:embed peers/*.py
var scripts embed.FS

// writeScripts puts the peers' scripts into a folder.
func writeScripts(folder string) error {
	entries, err := scripts.ReadDir("peers")
	if err != nil {
		return fmt.Errorf("listing the peers: %w", err)
	}
	for _, e := range entries {
		text, err := scripts.ReadFile("peers/" + e.Name())
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, e.Name()), text, 0o600)
		}
		if err != nil {
			return fmt.Errorf("writing the peer %s: %w", e.Name(), err)
		}
	}
	return nil
}

// The Debian packages of the modules that the peers import.
const pythonPackages = "python3-requests python3-psycopg2"

var errNoPython = errors.New("the peers need Python 3 with requests and psycopg2; install them (Debian, Ubuntu: apt-get install " +
	pythonPackages + "), or leave the peers out: -systems " + strings.Join(quickSystems(), ","))

// findPython returns a Python that has the modules. Where there is none, root on a machine with apt-get gets it installed;
// everybody else is told what to install.
func findPython(ctx context.Context) (string, error) {
	if python, ok := pythonWithModules(ctx); ok {
		return python, nil
	}
	if os.Getuid() == 0 {
		script := "apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends " + pythonPackages
		if out, err := exec.CommandContext(ctx, "/bin/sh", "-c", script).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%w\n%w\n%s", errNoPython, err, out)
		}
	}
	if python, ok := pythonWithModules(ctx); ok {
		return python, nil
	}
	return "", errNoPython
}

// pythonWithModules looks at the first Python of PATH and at the system's, which may be two.
func pythonWithModules(ctx context.Context) (string, bool) {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(ctx, python, "-c", "import requests, psycopg2").Run() == nil {
			return python, true
		}
	}
	return "", false
}
