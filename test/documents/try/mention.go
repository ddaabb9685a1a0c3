package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

var (
	span = regexp.MustCompile("`(?:updater|bin/updater|ganeti-cache-updater) ([^`\n]+(?:\n[^`\n]+)?)`")
	// recorded is a line of a transcript, in a block that is not typed (recorded): of the tutorial, whose cluster is a real one.
	recorded = regexp.MustCompile(`(?m)^\$ bin/updater ([^\n|>&]*)`)
	// usage is where a help says which command it is of.
	usage    = regexp.MustCompile(`(?m)^Usage:\n  updater(?: [a-z][a-z-]*)*`)
	flagName = regexp.MustCompile(`--[a-z][a-z0-9-]*`)
	// subcommand is a word that can name one.
	subcommand = regexp.MustCompile(`^[a-z][a-z-]*$`)
)

// mentions holds the commands of the updater that stand in sentences, in tables and in recorded transcripts: the command is
// one, and has these flags. They are not run, for they leave out what the sentence is not about, or need a real cluster.
func mentions(ctx context.Context, names []string, out io.Writer) error {
	helps := make(map[string]string)
	var errs []error
	n := 0
	for _, name := range names {
		text, err := os.ReadFile(name) //nolint:gosec // the repository's own file
		if err != nil {
			return err
		}
		found := append(span.FindAllStringSubmatch(string(text), -1), recorded.FindAllStringSubmatch(string(text), -1)...)
		for _, match := range found {
			n++
			if err := mentioned(ctx, match[1], helps); err != nil {
				errs = append(errs, fmt.Errorf("%s: `%s`: %w", name, match[1], err))
			}
		}
	}
	if n < 40 {
		errs = append(errs, fmt.Errorf("only %d mentions were found", n))
	}
	fmt.Fprintf(out, "%d commands of the updater stand in sentences and transcripts\n", n)
	return errors.Join(errs...)
}

// mentioned asks the updater's help for one command; helps remembers the answers.
func mentioned(ctx context.Context, typed string, helps map[string]string) error {
	if strings.HasPrefix(typed, "--help") || strings.Contains(typed, "COMMAND") || strings.Contains(typed, " … ") {
		return nil
	}
	var words []string
	for word := range strings.FieldsSeq(typed) {
		if !subcommand.MatchString(word) {
			break
		}
		words = append(words, word)
	}
	path := strings.Join(words, " ")
	help, ok := helps[path]
	if !ok {
		var err error
		if help, err = command(ctx, "bin/updater", append(slices.Clone(words), "--help")...); err != nil {
			return err
		}
		helps[path] = help
	}
	if path != "" && !isOf(help, path) {
		return errors.New("the updater has no such command")
	}
	for _, flag := range flagName.FindAllString(typed, -1) {
		if !regexp.MustCompile(`(?m)^ +(?:-., )?` + flag + `\b`).MatchString(help) {
			return fmt.Errorf("there is no flag %s", flag)
		}
	}
	return nil
}

// isOf says whether a help is that of a command. What stands behind one that has no further commands is its argument.
func isOf(help, path string) bool {
	own := strings.TrimPrefix(usage.FindString(help), "Usage:\n  updater ")
	if strings.Contains(help, "\nAvailable Commands:\n") {
		return own == path
	}
	return own != "" && strings.HasPrefix(path+" ", own+" ")
}
