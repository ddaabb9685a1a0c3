// Package markdown finds the code in Markdown documents: the fenced blocks, and in those of sh and console the commands.
package markdown

import (
	"fmt"
	"regexp"
	"strings"
)

// Block is a fenced block of code.
type Block struct {
	Document string
	// Line is that of the first line of code, from 1.
	Line int
	// Language is the first word behind the fence, Mark the rest, such as a database.
	Language, Mark string
	// Text is the code without the indent of the list that the block stands in.
	Text string
}

// At gives the place of the block's line i, from 0, for messages.
func (b Block) At(i int) string { return fmt.Sprintf("%s:%d", b.Document, b.Line+i) }

var (
	fence    = regexp.MustCompile("^( *)```([^`]*)$")
	listItem = regexp.MustCompile(`^ *([-*+]|\d+[.)]) `)
)

// Blocks returns the fenced blocks of a document. Code that is only indented names no language, so nobody can tell whether
// it should be run: it is an error, like a fence that is never closed.
func Blocks(document, text string) ([]Block, error) {
	var found []Block
	var open *Block
	indent, list, blank := "", false, true
	for i, line := range strings.Split(text, "\n") {
		mark := fence.FindStringSubmatch(line)
		switch {
		case open != nil && mark != nil && strings.TrimSpace(mark[2]) == "":
			found, open = append(found, *open), nil
		case open != nil:
			open.Text += strings.TrimPrefix(line, indent) + "\n"
		case mark != nil:
			language, rest, _ := strings.Cut(strings.TrimSpace(mark[2]), " ")
			indent, open = mark[1], &Block{Document: document, Line: i + 2, Language: language, Mark: rest}
		case blank && !list && strings.HasPrefix(line, "    ") && strings.TrimSpace(line) != "":
			return nil, fmt.Errorf("%s:%d: code that is indented: put it between fences, and name its language", document, i+1)
		}
		list = listItem.MatchString(line) || list && (line == "" || strings.HasPrefix(line, " "))
		blank = strings.TrimSpace(line) == ""
	}
	if open != nil {
		return nil, fmt.Errorf("%s: the block is never closed", open.At(-1))
	}
	return found, nil
}
