// Command container builds the updater's image without Docker: one OCI archive with an image for each architecture, from
// scratch. The same binaries, version and time give the same bytes.
//
//	go run . -out image.tar -version v1.2.3 -commit 0123abc -time 1700000000 amd64=updater-amd64 arm64=updater-arm64
//
// It is a module of its own: the updater needs none of what it takes to make an image.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "container: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	f := flag.NewFlagSet("container", flag.ContinueOnError)
	out := f.String("out", "", "the archive to write")
	var b build
	f.StringVar(&b.version, "version", "devel", "version of the updater")
	f.StringVar(&b.commit, "commit", "unknown", "its commit")
	seconds := f.Int64("time", 0, "time of the image and of everything in it, in Unix seconds: that of the commit")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *out == "" || f.NArg() == 0 {
		return errors.New("want -out and at least one ARCHITECTURE=BINARY")
	}
	b.time = time.Unix(*seconds, 0).UTC()
	index, err := b.index(f.Args())
	if err != nil {
		return err
	}
	return writeArchive(*out, b.version, index, b.time)
}

// index makes an image of each ARCHITECTURE=BINARY.
func (b *build) index(binaries []string) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	base, err := b.baseLayer()
	if err != nil {
		return nil, err
	}
	for _, binary := range binaries {
		arch, file, ok := strings.Cut(binary, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not ARCHITECTURE=BINARY", binary)
		}
		image, err := b.image(arch, file, base)
		if err != nil {
			return nil, fmt.Errorf("building the image for %s: %w", arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	return index, nil
}
