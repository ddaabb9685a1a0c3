// Command image reads the archive that "make image" writes and says what is wrong with it: layout and digests, user, entry
// point, health check, labels, files. It knows nothing of the program that wrote it. As root it also runs the updater in
// the image's files, with the image's user, and nothing else around it.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: image ARCHIVE")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintf(os.Stderr, "image: %v\n", err)
		os.Exit(1)
	}
}

func run(file string) error {
	a, err := open(file)
	if err != nil {
		return err
	}
	images, err := a.images()
	if err != nil {
		return err
	}
	var faults []error
	for _, arch := range []string{"amd64", "arm64"} {
		image, ok := images[arch]
		if !ok {
			faults = append(faults, fmt.Errorf("there is no image for %s", arch))
			continue
		}
		faults = append(faults, image.checkConfig(), image.checkFiles())
		fmt.Fprintf(os.Stdout, "%s: %d files, %d CA roots, %s %v as %s, version %s\n",
			arch, len(image.files), image.roots, image.config.Config.Entrypoint, image.config.Config.Cmd,
			image.config.Config.User, image.config.Config.Labels["org.opencontainers.image.version"])
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if os.Getuid() != 0 {
		fmt.Fprintln(os.Stdout, "NOT RUN: only root can start the updater in the image's files")
		return nil
	}
	return images[runtime.GOARCH].try()
}
