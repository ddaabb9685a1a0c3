package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// packageName is what packages call the program: a name that no other program has.
const packageName = "ganeti-cache-updater"

// packageFilesCommand is for those who make packages, and hidden from everybody else.
func (a *app) packageFilesCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "package-files DIRECTORY",
		Short:  "Write man pages and shell completions for a package",
		Hidden: true,
		Long: `package-files writes, below DIRECTORY, a man page for each command and the completions of bash, zsh and fish, for a
program called ` + packageName + `. The date in them is that of $SOURCE_DATE_EPOCH.`,
		Example: "  updater package-files debian/tmp/usr/share",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			rename(root)
			if err := errors.Join(writeManPages(root, args[0]), writeCompletions(root, args[0])); err != nil {
				return fail(err)
			}
			return nil
		},
	}
}

// rename has the commands speak of themselves by the name of the package wherever a text names a command. What is said of
// the updater itself stays as it is.
func rename(root *cobra.Command) {
	names := []string{"--"}
	for _, c := range root.Commands() {
		names = append(names, c.Name()+`\b`)
	}
	called := regexp.MustCompile(`\bupdater (` + strings.Join(names, "|") + ")")
	var all func(c *cobra.Command)
	all = func(c *cobra.Command) {
		texts := []*string{&c.Long, &c.Short, &c.Example}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) { texts = append(texts, &f.Usage) })
		for _, text := range texts {
			*text = called.ReplaceAllString(*text, packageName+" $1")
		}
		for _, sub := range c.Commands() {
			all(sub)
		}
	}
	all(root)
	root.Use = packageName
}

// writeManPages writes man/man1/*.1. Cobra reads $SOURCE_DATE_EPOCH, and takes the current time without it.
func writeManPages(root *cobra.Command, dir string) error {
	dir = filepath.Join(dir, "man", "man1")
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // for everybody to read
		return fmt.Errorf("making the folder of the man pages: %w", err)
	}
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "1", Source: packageName + " " + version, Manual: "Ganeti Cache Updater"}
	if err := doc.GenManTree(root, header, dir); err != nil {
		return fmt.Errorf("writing the man pages: %w", err)
	}
	return nil
}

// writeCompletions writes the completions where the shells' own packages look for them below /usr/share.
func writeCompletions(root *cobra.Command, dir string) error {
	for path, generate := range map[string]func(io.Writer) error{
		"bash-completion/completions/" + packageName:         func(w io.Writer) error { return root.GenBashCompletionV2(w, true) },
		"zsh/vendor-completions/_" + packageName:             root.GenZshCompletion,
		"fish/vendor_completions.d/" + packageName + ".fish": func(w io.Writer) error { return root.GenFishCompletion(w, true) },
	} {
		if err := writeGenerated(filepath.Join(dir, path), generate); err != nil {
			return fmt.Errorf("writing the completion %s: %w", path, err)
		}
	}
	return nil
}

// writeGenerated writes a file that everybody may read.
func writeGenerated(path string, generate func(io.Writer) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // for everybody to read
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644) //nolint:gosec // for everybody to read
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return generate(f)
}
