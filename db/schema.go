package db

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Schema returns the whole schema of a dialect ("postgres" or "sqlite") as one SQL script, made from the embedded
// migrations, or "" for any other name. It may be applied to an empty database instead of letting the updater migrate
// it: the script also fills the version table, so that CheckSchema and Migrate find their work done.
func Schema(name string) string {
	for _, d := range []*dialect{postgresDialect(), sqliteDialect()} {
		if d.name == name {
			return d.schema()
		}
	}
	return ""
}

// schema panics when the embedded migrations cannot be read: the program is built wrongly then.
func (d *dialect) schema() string {
	var b strings.Builder
	fmt.Fprintf(&b, "-- Generated from db/migrations/%s by `make schema`; do not edit.\n", d.name)
	b.WriteString(d.script)
	writeVersion(&b, 0)
	files, err := fs.Glob(migrations, "migrations/"+d.name+"/*.sql")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		writeMigration(&b, file)
	}
	b.WriteString("\nCOMMIT;\n")
	return b.String()
}

// writeMigration appends a migration without goose's annotations, and its version.
func writeMigration(b *strings.Builder, file string) {
	text, err := migrations.ReadFile(file)
	if err != nil {
		panic(err)
	}
	version, err := versionOf(file)
	if err != nil {
		panic(err)
	}
	b.WriteString("\n-- " + path.Base(file) + "\n")
	up, _, _ := strings.Cut(string(text), "-- +goose Down")
	for line := range strings.Lines(up) {
		if !strings.HasPrefix(line, "-- +goose") {
			// The script is one transaction, and nobody reads yet.
			b.WriteString(strings.ReplaceAll(line, " CONCURRENTLY", ""))
		}
	}
	b.WriteString("\n")
	writeVersion(b, version)
}

func writeVersion(b *strings.Builder, version int64) {
	fmt.Fprintf(b, "INSERT INTO %s (version_id, is_applied) VALUES (%d, true);\n", versionTable, version)
}
