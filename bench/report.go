package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// report is what a whole run found.
type report struct {
	results results
	machine machine
}

// print writes the tables for a person at a terminal.
func (r report) print(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%s\n\n%s\n\n%s\n", strings.Join(r.machine.lines(), "\n"), r.results.figures().Render(), r.results.limits().Render())
	if err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// limits is the table of what is to be reached.
func (rs results) limits() table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.AppendHeader(table.Row{"to reach", "at most", "measured", ""})
	for _, line := range rs.reach() {
		t.AppendRow(table.Row{line.what, line.limit, line.measured, line.verdict()})
	}
	return t
}

// write puts latest.md and latest.svg into a folder.
func (r report) write(folder string) error {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return fmt.Errorf("making the folder of the results: %w", err)
	}
	for name, content := range map[string]string{"latest.md": r.markdown(), "latest.svg": r.results.chart()} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil { //nolint:gosec // for everybody to read
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

func (r report) markdown() string {
	var b strings.Builder
	b.WriteString("# What `make bench` measured\n\nWritten by the program; [README.md](../README.md) says what each line means.\n\n")
	for _, line := range r.machine.lines() {
		b.WriteString("- " + line + "\n")
	}
	b.WriteString("\n![Wall time of a round as a multiple of the floor](latest.svg)\n\n## Limits\n\n")
	b.WriteString(r.results.limits().RenderMarkdown())
	b.WriteString("\n\n## Medians\n\nThe floor of \"first load\" and \"everything changed\" is the download and psql's `\\copy`, that of the other cases the\nbare download.\n\n")
	b.WriteString(r.results.figures().RenderMarkdown() + "\n")
	return b.String()
}
