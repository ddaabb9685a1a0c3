package main

import (
	"archive/tar"
	"bytes"
	_ "embed"
	"encoding/pem"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

//go:embed passwd
var passwd []byte

//go:embed group
var group []byte

// entry is a file of a layer, or a directory when its name ends in a slash. It is root's unless owner says otherwise.
type entry struct {
	name    string
	mode    int64
	owner   int
	content []byte
}

// baseLayer has all that is not the updater. There is no /tmp: a root that is mounted read-only would have it as a trap.
func (b *build) baseLayer() (v1.Layer, error) {
	return b.layer([]entry{
		{name: "etc/", mode: 0o755},
		{name: "etc/ganeti-cache-updater/", mode: 0o755},
		{name: "etc/group", mode: 0o644, content: group},
		{name: "etc/passwd", mode: 0o644, content: passwd},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: roots[1:], mode: 0o644, content: caRoots()},
		{name: "var/", mode: 0o755},
		{name: "var/lib/", mode: 0o755},
		{name: stateDir[1:] + "/", mode: 0o750, owner: nobody},
	})
}

// caRoots gives Mozilla's roots as of the version of the module in go.mod, so that they do not depend on who builds. Those
// that Mozilla trusts under conditions are left out, since a file of certificates cannot say them.
func caRoots() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			out.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}))
		}
	}
	return out.Bytes()
}

func (b *build) layer(entries []entry) (v1.Layer, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, e := range entries {
		kind := byte(tar.TypeReg)
		if e.content == nil {
			kind = tar.TypeDir
		}
		header := tar.Header{
			Typeflag: kind, Name: e.name, Mode: e.mode, Uid: e.owner, Gid: e.owner, Size: int64(len(e.content)),
			ModTime: b.time, Format: tar.FormatPAX,
		}
		if err := w.WriteHeader(&header); err != nil {
			return nil, fmt.Errorf("adding %s: %w", e.name, err)
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, fmt.Errorf("adding %s: %w", e.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("closing the layer: %w", err)
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressedCaching)
}
