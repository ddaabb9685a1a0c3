package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// writeArchive writes an OCI image layout as one tar file, with the index under the name of the version.
func writeArchive(file, version string, index v1.ImageIndex, at time.Time) (err error) {
	dir, err := os.MkdirTemp(filepath.Dir(file), "layout")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("writing the layout: %w", err)
	}
	name := map[string]string{"org.opencontainers.image.ref.name": version}
	if err := path.AppendIndex(index, layout.WithAnnotations(name)); err != nil {
		return fmt.Errorf("writing the images: %w", err)
	}
	written, err := path.ImageIndex()
	if err != nil {
		return fmt.Errorf("reading the layout: %w", err)
	}
	if err := validate.Index(written); err != nil {
		return fmt.Errorf("checking what was written: %w", err)
	}
	out, err := os.CreateTemp(filepath.Dir(file), "archive")
	if err != nil {
		return fmt.Errorf("making the archive: %w", err)
	}
	defer os.Remove(out.Name())
	if err := errors.Join(pack(out, os.DirFS(dir), at), out.Chmod(0o644), out.Close()); err != nil {
		return fmt.Errorf("writing the archive: %w", err)
	}
	return os.Rename(out.Name(), file)
}

// pack writes the files in the order of their names, without what is this machine's.
func pack(out *os.File, files fs.FS, at time.Time) error {
	w := tar.NewWriter(out)
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		header := tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: at, Format: tar.FormatPAX}
		if err := w.WriteHeader(&header); err != nil {
			return err
		}
		_, err = w.Write(content)
		return err
	})
	return errors.Join(err, w.Close())
}
