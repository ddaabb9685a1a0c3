package documents_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"ganeticache/config"
	"ganeticache/test/documents/markdown"
)

// languages are those that a block may be in, and what holds it.
var languages = map[string]string{
	"sh":       "make docs-check runs each command",
	"console":  "make docs-check runs each command, and compares the output's shape",
	"cron":     "make docs-check runs each entry once",
	"yaml":     "TestBlocks_YAML; where something else than the updater reads it, the second word names that",
	"sql":      "TestBlocks_SQL, on the database that the second word names, or on both",
	"promql":   "make prometheus-check has promtool read each line",
	"json":     "shows the form of an answer, cut short",
	"go":       "shows the use of a package, cut short; its own tests have examples that compile",
	"mermaid":  "a drawing",
	"text":     "neither code nor a command: TestBlocks_Text",
	"recorded": "a transcript of a real cluster, as it came out; make docs-check holds the updater's commands and flags",
}

func blocks(t *testing.T) []markdown.Block {
	t.Helper()
	var all []markdown.Block
	for _, name := range documents(t) {
		found, err := markdown.Blocks(name, read(t, name))
		if err != nil {
			t.Error(err)
		}
		all = append(all, found...)
	}
	if len(all) < 50 {
		t.Fatalf("only %d blocks were found", len(all))
	}
	return all
}

// Every block says what it is, so that none escapes being run or held by accident.
func TestBlocks_Languages(t *testing.T) {
	t.Parallel()
	for _, b := range blocks(t) {
		if languages[b.Language] == "" {
			t.Errorf("%s: a block of %q; name one of %s", b.At(-1), b.Language, slices.Sorted(maps.Keys(languages)))
		}
	}
}

// No command hides in a block of text: none begins with a prompt or with a program that other blocks run.
func TestBlocks_Text(t *testing.T) {
	t.Parallel()
	all := blocks(t)
	programs := make(map[string]bool)
	for _, b := range all {
		if b.Language == "sh" || b.Language == "console" {
			commands, err := b.Commands(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range commands {
				programs[strings.Fields(c.Text)[0]] = true
			}
		}
	}
	for _, b := range all {
		if b.Language != "text" {
			continue
		}
		for i, line := range strings.Split(b.Text, "\n") {
			if words := strings.Fields(line); len(words) > 0 && (programs[words[0]] || words[0] == "$") {
				t.Errorf("%s: is %q a command? Then the block is sh or console", b.At(i), line)
			}
		}
	}
}

// placeholder is the pin of a certificate, cut short.
var placeholder = regexp.MustCompile(`([0-9A-F]{2}:?)+…`)

// Every configuration is one that the updater takes. A few lines of one are taken behind a database.
func TestBlocks_YAML(t *testing.T) {
	t.Parallel()
	n := 0
	for _, b := range blocks(t) {
		if b.Language != "yaml" {
			continue
		}
		n++
		t.Run(b.At(0), func(t *testing.T) {
			t.Parallel()
			text := placeholder.ReplaceAllString(b.Text, strings.Repeat("0", 64))
			if b.Mark != "" {
				if err := yaml.Unmarshal([]byte(text), new(any)); err != nil {
					t.Error(err)
				}
				return
			}
			if !strings.Contains(text, "database_url:") {
				text = "database_url: sqlite:cache.db\n" + text
			}
			file := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(config.Options{File: file}); err != nil {
				t.Error(err)
			}
		})
	}
	if n < 3 {
		t.Errorf("only %d configurations were found", n)
	}
}

var (
	target   = regexp.MustCompile(`(?m)^([a-z0-9-]+):`)
	makeLine = regexp.MustCompile("(?m)(?:^|`|\\$ )make((?: +[A-Za-z0-9=_\"./-]+)+)")
)

// Every target of make that a document names, in a block or in a sentence, is in the Makefile.
func TestMakeTargets(t *testing.T) {
	t.Parallel()
	makefile := make(map[string]bool)
	for _, match := range target.FindAllStringSubmatch(read(t, "Makefile"), -1) {
		makefile[match[1]] = true
	}
	n := 0
	for _, name := range documents(t) {
		for _, match := range makeLine.FindAllStringSubmatch(read(t, name), -1) {
			for word := range strings.FieldsSeq(match[1]) {
				if strings.ContainsAny(word, `=".`) || strings.HasPrefix(word, "-") {
					break
				}
				n++
				if !makefile[word] {
					t.Errorf("%s: make %s: the Makefile has no such target", name, word)
				}
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d targets were found", n)
	}
}
