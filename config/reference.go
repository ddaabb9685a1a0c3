package config

import (
	"fmt"
	"strings"
)

// Reference returns every key in the order of the documentation: those of the whole configuration, then those of a
// cluster.
func Reference() []Key { return keys() }

// ReferenceMarkdown returns the reference as two tables for docs/configuration.md.
func ReferenceMarkdown() string {
	var top, cluster strings.Builder
	for _, k := range Reference() {
		if k.ofCluster() {
			row(&cluster, k, strings.TrimPrefix(k.Path, clustersPrefix))
			continue
		}
		row(&top, k, k.Path)
	}
	const head = "| key | type | default | meaning |\n|---|---|---|---|\n"
	return "### Keys of the whole configuration\n\n" + head + top.String() +
		"\n### Keys of each cluster, below `clusters:`\n\n" + head + cluster.String()
}

func row(b *strings.Builder, k Key, name string) {
	standard := k.Default
	switch standard {
	case "":
		standard = "none"
	case k.value:
		standard = "`" + standard + "`"
	}
	fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name, k.Type, standard, k.Doc)
}
