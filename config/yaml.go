package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// read parses a configuration file's bytes into the layer. Trouble goes to f.problems.
func (f *fileLayer) read(content []byte) {
	if at, bad := firstOddByte(content); bad {
		f.problems.addf(f.line(at), "is not UTF-8 text; save the file as UTF-8 without control characters")
		return
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document yaml.Node
	switch err := decode(decoder, &document); {
	case errors.Is(err, io.EOF):
		f.problems.addf(origin{place: f.name}, "is empty; write at least database_url and clusters")
		return
	case err != nil:
		f.syntax(content, err)
		return
	}
	root := target(document.Content[0])
	if isNull(root) {
		f.problems.addf(origin{place: f.name}, "is empty; write at least database_url and clusters")
		return
	}
	if root.Kind != yaml.MappingNode {
		f.problems.addf(f.at(root, ""), `must hold keys with values, such as database_url: sqlite:ganeti-cache.db`)
		return
	}
	var second yaml.Node
	switch err := decode(decoder, &second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		f.syntax(content, err)
		return
	case !isNull(second.Content[0]):
		f.problems.addf(f.at(&second, ""), `a second YAML document begins here; keep one and remove the "---" between them`)
		return
	}
	f.mapping(root, "", "", "")
	if f.nodes > maxNodes {
		f.problems.addf(origin{place: f.name}, "its aliases multiply to more than %d keys; write them out", maxNodes)
	}
}

// decode reads one document. The parser reports its own faults by panics that it does not always recover, and no file
// may end the updater.
func decode(d *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: the parser failed: %v", p)
		}
	}()
	if err := d.Decode(n); err != nil {
		return err
	}
	if len(n.Content) == 0 {
		return io.EOF
	}
	return nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

// syntax explains what the YAML parser could not read. A tab is the mistake its own words hide best.
func (f *fileLayer) syntax(content []byte, err error) {
	number := 1
	text := err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		text = m[2]
		if n, err := strconv.Atoi(m[1]); err == nil {
			number = n
		}
	}
	for i, line := range bytes.Split(content, []byte("\n")) {
		if i > number {
			break
		}
		indent := line[:len(line)-len(bytes.TrimLeft(line, " \t"))]
		if bytes.ContainsRune(indent, '\t') && len(indent) < len(line) {
			f.problems.addf(f.line(i+1), "is indented with a tab, which YAML does not allow; use spaces")
			return
		}
	}
	f.problems.addf(f.line(number), "is not valid YAML (%s); look at the indentation, the colons and the quotes of this line and the one before", text)
}

// line is the place of a whole line.
func (f *fileLayer) line(number int) origin {
	return origin{line: number, place: f.name + ":" + strconv.Itoa(number)}
}

// firstOddByte returns the line of the first byte that no text file holds.
func firstOddByte(content []byte) (line int, found bool) {
	line = 1
	for len(content) > 0 {
		r, size := utf8.DecodeRune(content)
		switch {
		case r == '\n':
			line++
		case r == utf8.RuneError && size == 1, r < ' ' && r != '\t' && r != '\r', r == 0x7f:
			return line, true
		}
		content = content[size:]
	}
	return 0, false
}
