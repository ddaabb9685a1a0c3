package main

import (
	"bytes"
	"crypto/x509"
	"debug/elf"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"
)

const (
	program  = "/usr/bin/ganeti-cache-updater"
	stateDir = "/var/lib/ganeti-cache-updater"
	caFile   = "/etc/ssl/certs/ca-certificates.crt"
	nobody   = 65532
)

// imageConfig is the configuration of an image as far as it is promised.
type imageConfig struct {
	OS           string        `json:"os"`
	Architecture string        `json:"architecture"`
	Config       processConfig `json:"config"`
	RootFS       struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

type processConfig struct {
	Entrypoint, Cmd, Env  []string
	User, WorkingDir      string
	StopSignal            string
	Volumes, ExposedPorts map[string]struct{}
	Labels                map[string]string
	Healthcheck           struct {
		Test              []string
		Interval, Timeout time.Duration
	}
}

// checkConfig holds the configuration against what docs/container.md promises.
func (i *image) checkConfig() error {
	var faults []error
	want := func(what string, got, want any) {
		if !reflect.DeepEqual(got, want) {
			faults = append(faults, fmt.Errorf("%s: %s is %v, want %v", i.arch, what, got, want))
		}
	}
	c := i.config.Config
	want("platform", i.config.OS+"/"+i.config.Architecture, "linux/"+i.arch)
	want("entry point", c.Entrypoint, []string{program})
	want("command", c.Cmd, []string(nil))
	want("user", c.User, "65532:65532")
	want("stop signal", c.StopSignal, "SIGTERM")
	want("working directory", c.WorkingDir, stateDir)
	want("volumes", slices.Collect(maps.Keys(c.Volumes)), []string{stateDir})
	want("ports", slices.Collect(maps.Keys(c.ExposedPorts)), []string{"9150/tcp"})
	want("health check", c.Healthcheck.Test, []string{"CMD", program, "check", "--quick"})
	if c.Healthcheck.Timeout < time.Second || c.Healthcheck.Interval <= c.Healthcheck.Timeout {
		faults = append(faults, fmt.Errorf("%s: health check every %s within %s", i.arch, c.Healthcheck.Interval, c.Healthcheck.Timeout))
	}
	for _, label := range []string{"title", "description", "licenses", "version", "revision", "created"} {
		if c.Labels["org.opencontainers.image."+label] == "" {
			faults = append(faults, fmt.Errorf("%s: there is no label org.opencontainers.image.%s", i.arch, label))
		}
	}
	return errors.Join(faults...)
}

// checkFiles says what is wrong with owners, modes and contents.
func (i *image) checkFiles() error {
	var faults []error
	for name, e := range i.files {
		owner, mode := 0, int64(0o022)
		if name == stateDir {
			owner = nobody
		}
		if e.Uid != owner || e.Gid != owner || e.Mode&mode != 0 {
			faults = append(faults, fmt.Errorf("%s: %s belongs to %d:%d with mode %o", i.arch, name, e.Uid, e.Gid, e.Mode))
		}
	}
	if _, ok := i.files[stateDir]; !ok {
		faults = append(faults, fmt.Errorf("%s: there is no %s", i.arch, stateDir))
	}
	return errors.Join(append(faults, i.checkProgram(), i.checkRoots())...)
}

// checkProgram insists on a static binary for the image's architecture.
func (i *image) checkProgram() error {
	f, err := elf.NewFile(bytes.NewReader(i.files[program].content))
	if err != nil {
		return fmt.Errorf("%s: reading %s: %w", i.arch, program, err)
	}
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	if f.Machine != machines[i.arch] {
		return fmt.Errorf("%s: %s is for %s", i.arch, program, f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s: %s needs a dynamic linker, and the image has none", i.arch, program)
		}
	}
	if i.files[program].Mode != 0o755 {
		return fmt.Errorf("%s: %s has mode %o", i.arch, program, i.files[program].Mode)
	}
	return nil
}

func (i *image) checkRoots() error {
	rest := i.files[caFile].content
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("%s: %s: certificate %d: %w", i.arch, caFile, i.roots+1, err)
		}
		if !c.IsCA {
			return fmt.Errorf("%s: %s: %s is no authority", i.arch, caFile, c.Subject)
		}
		i.roots++
	}
	if i.roots < 50 {
		return fmt.Errorf("%s: %s has %d CA roots", i.arch, caFile, i.roots)
	}
	return nil
}
