package markdown_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ganeticache/test/documents/markdown"
)

func TestBlocks(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(`# Title

'''sh
make
'''

1. A list:

   '''console
   $ echo \
       a
   a
   '''

       not code of its own, but the list's

text
'''sql postgres
SELECT 1;
'''
`, "'''", "```")
	got, err := markdown.Blocks("a.md", text)
	if err != nil {
		t.Fatal(err)
	}
	want := []markdown.Block{
		{Document: "a.md", Line: 4, Language: "sh", Text: "make\n"},
		{Document: "a.md", Line: 10, Language: "console", Text: "$ echo \\\n    a\na\n"},
		{Document: "a.md", Line: 19, Language: "sql", Mark: "postgres", Text: "SELECT 1;\n"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("blocks differ (-want +got):\n%s", diff)
	}
}

func TestBlocks_Refused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, want string }{
		{"indented code", "text\n\n    make test\n", "a.md:3: code that is indented"},
		{"an open fence", "text\n\n```sh\nmake\n", "a.md:3: the block is never closed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := markdown.Blocks("a.md", test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestBlock_Commands(t *testing.T) {
	t.Parallel()
	type command = markdown.Command
	for _, test := range []struct {
		name, language, text string
		want                 []command
	}{
		{"comments and empty lines", "sh", "# first\nmake   # builds\n\nmake test\n", []command{
			{At: "a.md:4", Text: "make   # builds\n"}, {At: "a.md:6", Text: "make test\n"},
		}},
		{"continued", "sh", "a \\\n  b\nc\n", []command{{At: "a.md:3", Text: "a \\\n  b\n"}, {At: "a.md:5", Text: "c\n"}}},
		{"a quote", "sh", "echo 'a\nb'\n", []command{{At: "a.md:3", Text: "echo 'a\nb'\n"}}},
		{"a here-document", "sh", "cat <<'END'\na: 'b\nEND\nc\n", []command{
			{At: "a.md:3", Text: "cat <<'END'\na: 'b\nEND\n"}, {At: "a.md:6", Text: "c\n"},
		}},
		{"a transcript", "console", "$ a \\\n  b\nout\n\nroot@node1# c\n", []command{
			{At: "a.md:3", Text: "a \\\n  b\n", Output: []string{"out", ""}}, {At: "a.md:7", Text: "c\n"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := markdown.Block{Document: "a.md", Line: 3, Language: test.language, Text: test.text}
			got, err := b.Commands(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("commands differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBlock_Commands_Refused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, language, text, want string }{
		{"an open quote", "sh", "echo 'a\n", "the shell waits"},
		{"output without a command", "console", "out\n$ a\n", "begins with a prompt"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := markdown.Block{Document: "a.md", Line: 3, Language: test.language, Text: test.text}
			if _, err := b.Commands(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
