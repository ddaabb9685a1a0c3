package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// archive is an OCI image layout in a tar file, by name.
type archive map[string][]byte

// descriptor is what the OCI image specification calls so.
type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
	Platform  struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
	} `json:"platform"`
}

// manifest is that of an image, or an index with Manifests alone.
type manifest struct {
	Manifests []descriptor `json:"manifests"`
	Config    descriptor   `json:"config"`
	Layers    []descriptor `json:"layers"`
}

// entry is a file of an image.
type entry struct {
	*tar.Header
	content []byte
}

// image is one of the archive's, with the files of all its layers by absolute path.
type image struct {
	arch   string
	config imageConfig
	files  map[string]entry
	roots  int
}

func open(file string) (archive, error) {
	raw, err := os.ReadFile(file) //nolint:gosec // the archive is what the developer names
	if err != nil {
		return nil, err
	}
	a := archive{}
	err = walk(raw, func(e entry) { a[e.Name] = e.content })
	if err == nil && !strings.Contains(string(a["oci-layout"]), `"imageLayoutVersion":`) {
		err = errors.New("no oci-layout with a version")
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return a, nil
}

func walk(raw []byte, visit func(entry)) error {
	r := tar.NewReader(bytes.NewReader(raw))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("reading %s: %w", h.Name, err)
		}
		visit(entry{h, content})
	}
}

// blob returns what a descriptor stands for, if it is that.
func (a archive) blob(d descriptor) ([]byte, error) {
	content, ok := a["blobs/"+strings.Replace(d.Digest, ":", "/", 1)]
	if !ok {
		return nil, fmt.Errorf("blob %s is missing", d.Digest)
	}
	if sum := fmt.Sprintf("sha256:%x", sha256.Sum256(content)); sum != d.Digest || int64(len(content)) != d.Size {
		return nil, fmt.Errorf("blob %s has digest %s and %d bytes, want %d", d.Digest, sum, len(content), d.Size)
	}
	return content, nil
}

func (a archive) decode(d descriptor, into any) error {
	content, err := a.blob(d)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("decoding %s: %w", d.Digest, err)
	}
	return nil
}

// images returns those of the one index, by architecture.
func (a archive) images() (map[string]*image, error) {
	var top, index manifest
	if err := json.Unmarshal(a["index.json"], &top); err != nil {
		return nil, fmt.Errorf("decoding index.json: %w", err)
	}
	if len(top.Manifests) != 1 {
		return nil, fmt.Errorf("index.json has %d entries, want one", len(top.Manifests))
	}
	if err := a.decode(top.Manifests[0], &index); err != nil {
		return nil, err
	}
	images := map[string]*image{}
	for _, d := range index.Manifests {
		i, err := a.image(d)
		if err != nil {
			return nil, fmt.Errorf("image for %s: %w", d.Platform.Architecture, err)
		}
		images[d.Platform.Architecture] = i
	}
	return images, nil
}

func (a archive) image(d descriptor) (*image, error) {
	i := &image{arch: d.Platform.Architecture, files: map[string]entry{}}
	var m manifest
	if err := a.decode(d, &m); err != nil {
		return nil, err
	}
	if err := a.decode(m.Config, &i.config); err != nil {
		return nil, err
	}
	if len(m.Layers) != len(i.config.RootFS.DiffIDs) {
		return nil, fmt.Errorf("%d layers and %d diff_ids", len(m.Layers), len(i.config.RootFS.DiffIDs))
	}
	for n, l := range m.Layers {
		packed, err := a.blob(l)
		if err != nil {
			return nil, err
		}
		r, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", n, err)
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", n, err)
		}
		if sum := fmt.Sprintf("sha256:%x", sha256.Sum256(raw)); sum != i.config.RootFS.DiffIDs[n] {
			return nil, fmt.Errorf("layer %d is %s, diff_ids say %s", n, sum, i.config.RootFS.DiffIDs[n])
		}
		if err := walk(raw, func(e entry) { i.files["/"+strings.TrimSuffix(e.Name, "/")] = e }); err != nil {
			return nil, fmt.Errorf("layer %d: %w", n, err)
		}
	}
	return i, nil
}
