package main

import (
	"fmt"
	"os"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Paths in the image. They are public: volumes are mounted there.
const (
	program  = "/usr/bin/ganeti-cache-updater"
	stateDir = "/var/lib/ganeti-cache-updater"
	roots    = "/etc/ssl/certs/ca-certificates.crt"
)

// nobody is the user and the group of the process, by number: Kubernetes' runAsNonRoot can judge no name.
const nobody = 65532

// build is what all images of an archive share.
type build struct {
	version, commit string
	time            time.Time
}

// config is what the Dockerfile says in its own words; test/image holds it against the archive.
func (b *build) config() v1.Config {
	return v1.Config{
		Entrypoint: []string{program},
		User:       fmt.Sprintf("%d:%d", nobody, nobody),
		// SQLite's file lies here unless database_url names another place, and with a read-only root its temporary files, too.
		WorkingDir:   stateDir,
		Volumes:      map[string]struct{}{stateDir: {}},
		ExposedPorts: map[string]struct{}{"9150/tcp": {}},
		StopSignal:   "SIGTERM",
		Env:          []string{"PATH=/usr/bin"},
		Healthcheck: &v1.HealthConfig{
			Test:     []string{"CMD", program, "check", "--quick"},
			Interval: 30 * time.Second, Timeout: 3 * time.Second, StartPeriod: 30 * time.Second, Retries: 3,
		},
		Labels: map[string]string{
			"org.opencontainers.image.title":       "Ganeti Cache Updater",
			"org.opencontainers.image.description": "Keeps a searchable copy of Ganeti clusters in an SQL database",
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.version":     b.version,
			"org.opencontainers.image.revision":    b.commit,
			"org.opencontainers.image.created":     b.time.Format(time.RFC3339),
		},
	}
}

// image puts the binary above the base: who pulls the next version loads the base no more.
func (b *build) image(arch, binary string, base v1.Layer) (v1.Image, error) {
	content, err := os.ReadFile(binary)
	if err != nil {
		return nil, fmt.Errorf("reading the binary: %w", err)
	}
	top, err := b.layer([]entry{
		{name: "usr/", mode: 0o755},
		{name: "usr/bin/", mode: 0o755},
		{name: program[1:], mode: 0o755, content: content},
	})
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.ConfigFile(image, &v1.ConfigFile{
		OS: "linux", Architecture: arch, Created: v1.Time{Time: b.time}, Config: b.config(), RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, fmt.Errorf("setting the configuration: %w", err)
	}
	for _, l := range []struct {
		layer v1.Layer
		what  string
	}{{base, "CA roots, user, state directory"}, {top, "the updater"}} {
		image, err = mutate.Append(image, mutate.Addendum{
			Layer: l.layer, History: v1.History{Created: v1.Time{Time: b.time}, CreatedBy: l.what},
		})
		if err != nil {
			return nil, fmt.Errorf("appending the layer with %s: %w", l.what, err)
		}
	}
	return image, nil
}
