package documents_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the repository, seen from this package.
const root = "../.."

// documents returns every Markdown file of the repository, relative to root.
func documents(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".git") || entry.Name() == "bin" || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			found = append(found, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("only %d documents were found", len(found))
	}
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	fence   = regexp.MustCompile("(?s)\n *```.*?\n *```")
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors returns what the headings of a document are linked by, as code hosts make it.
func anchors(text string) map[string]bool {
	names := make(map[string]bool)
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString("\n"+text, ""), -1) {
		name := dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(match[1])), "")
		names[strings.ReplaceAll(name, " ", "-")] = true
	}
	return names
}

// Every relative link of every document leads to a file that exists, and its anchor to a heading.
func TestLinks(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, name := range documents(t) {
		text := read(t, name)
		prose := code.ReplaceAllString(fence.ReplaceAllString("\n"+text, ""), "")
		for _, match := range link.FindAllStringSubmatch(prose, -1) {
			target := match[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			checked++
			file, anchor, _ := strings.Cut(target, "#")
			linked := name
			if file != "" {
				linked = filepath.Join(filepath.Dir(name), file)
			}
			if _, err := os.Stat(filepath.Join(root, linked)); err != nil {
				t.Errorf("%s: the link %s leads nowhere: %v", name, target, err)
				continue
			}
			if anchor != "" && !anchors(read(t, linked))[anchor] {
				t.Errorf("%s: the link %s leads to no heading", name, target)
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d links were found", checked)
	}
}
