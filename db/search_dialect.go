package db

import (
	"slices"
	"strings"

	"github.com/lib/pq"
)

// searchWords is the part of a dialect that searches need.
type searchWords struct {
	// blind says that the planner knows nothing of the data, as SQLite's does. The search then counts what each filter
	// would find, as far as it matters, and says itself which one leads.
	blind bool
	// among is a condition: a column is among the results of a query, which is to be run first.
	among func(column, query string) string
	// off keeps a column's index from being used, where blind.
	off func(column string) string
	// ascending and descending put NULL before everything else, and after it.
	ascending, descending string
	// bytewise compares texts by their bytes, greatest is the greatest of its arguments.
	bytewise, greatest string
	// first is the first element of a list.
	first func(column string) string
	// elements is a table with the elements of a list in a column value.
	elements func(column string) string
	// globs is a condition: a column matches the one argument made by glob.
	globs func(column string) string
	glob  func(pattern string) string

	// has is a condition: a list of v has any of the elements; hasPrefix: it has one that begins so.
	has       func(t *table, l list, values []string) condition
	hasPrefix func(t *table, l list, prefix string) condition
}

// exists is a condition: a query that depends on the row has a result. Both databases would make a join of an EXISTS, and
// might then begin with its other end.
func exists(query string) string { return "(" + query + " LIMIT 1) IS NOT NULL" }

// list is a column with a list, and what its elements are called in SQLite's vm_terms.
type list struct {
	column, term string
	// rare says that hardly any two rows have an element in common.
	rare bool
}

func listTags() list      { return list{"tags", "tag", false} }
func listIPs() list       { return list{"nic_ips", "ip", true} }
func listMACs() list      { return list{"nic_macs", "mac", true} }
func listNetworks() list  { return list{"nic_networks", "network", false} }
func listSecondary() list { return list{"secondary_nodes", "secondary_node", true} }

func postgresSearch() searchWords {
	return searchWords{
		among:     postgresAmong,
		off:       func(column string) string { return column },
		ascending: "ASC NULLS FIRST", descending: "DESC NULLS LAST",
		bytewise: ` COLLATE "C"`, greatest: "greatest",
		first:    func(column string) string { return column + "[1]" },
		elements: func(column string) string { return "unnest(" + column + ") AS e (value)" },
		globs:    func(column string) string { return column + " LIKE ?" },
		glob: func(pattern string) string {
			return strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`, "*", "%", "?", "_").Replace(pattern)
		},
		has: postgresHas,
		hasPrefix: func(t *table, l list, prefix string) condition {
			if t.kind != KindVM {
				return condition{
					test: "EXISTS (SELECT 1 FROM unnest(v." + l.column + ") AS e (value) WHERE starts_with(e.value, ?))",
					args: []any{prefix},
				}
			}
			return postgresHasPrefix(l, prefix)
		},
	}
}

// postgresHas leads with an element that is rare. PostgreSQL takes any element that its statistics do not know for one in
// 200 rows, and would rather read a million rows in their order to find the first 50 of those.
func postgresHas(t *table, l list, values []string) condition {
	among := l.column + " @> ?"
	if len(values) > 1 {
		among = l.column + " && ?"
	}
	c := condition{test: "v." + among, args: []any{pq.Array(values)}}
	if l.rare {
		c.ids, c.idArgs = "SELECT id FROM "+t.name+" WHERE "+among, c.args
		c.test = postgresAmong("v.id", c.ids)
	}
	return c
}

func postgresAmong(column, query string) string { return column + " = ANY(ARRAY(" + query + "))" }

// leftOut is the word that stands for tags that are not in the index of words: too long, or too many (0006_long_tags.sql).
const leftOut = "\x01"

// postgresHasPrefix looks at the words of the index virtual_machines_lists, whose expression it is, and one by one at the
// tags of the few VMs that have some which no index takes.
func postgresHasPrefix(l list, prefix string) condition {
	words := "ganeti_cache_tag_words(v." + l.column + ") @@ CAST(? AS tsquery)"
	each := words + " AND EXISTS (SELECT 1 FROM unnest(v." + l.column + ") AS e (value) WHERE starts_with(e.value, ?))"
	if strings.HasPrefix(prefix, leftOut) {
		return condition{test: each, args: []any{tsPrefix(leftOut), prefix}}
	}
	return condition{test: "(" + words + " OR " + each + ")", args: []any{tsPrefix(prefix), tsPrefix(leftOut), prefix}}
}

// tsPrefix is a tsquery for the lexemes that begin so: quoted, with quotes and backslashes doubled.
func tsPrefix(prefix string) string {
	return "'" + strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(prefix) + "':*"
}

func sqliteSearch() searchWords {
	return searchWords{
		blind:     true,
		among:     func(column, query string) string { return column + " IN (" + query + ")" },
		off:       func(column string) string { return "+" + column },
		ascending: "ASC NULLS FIRST", descending: "DESC NULLS LAST",
		greatest: "max",
		first:    func(column string) string { return column + " ->> 0" },
		elements: func(column string) string { return "json_each(" + column + ") AS e" },
		globs:    func(column string) string { return column + " GLOB ?" },
		glob:     func(pattern string) string { return strings.ReplaceAll(pattern, "[", "[[]") },
		has:      sqliteHas,
		hasPrefix: func(t *table, l list, prefix string) condition {
			low, high := prefixRange(prefix)
			c := condition{
				test: exists("SELECT 1 FROM json_each(v." + l.column + ") AS e WHERE e.value >= ? AND e.value < ?"),
				args: []any{low, high},
			}
			if t.kind == KindVM {
				c.ids = "SELECT vm_id AS id FROM vm_terms WHERE kind = ? AND value >= ? AND value < ?"
				c.idArgs = []any{l.term, low, high}
			}
			return c
		},
	}
}

// sqliteHas names the elements one by one: the planner knows what an index makes of a few constants.
func sqliteHas(t *table, l list, values []string) condition {
	among := " IN (?" + strings.Repeat(", ?", len(values)-1) + ")"
	c := condition{test: exists("SELECT 1 FROM json_each(v." + l.column + ") AS e WHERE e.value" + among)}
	for _, v := range values {
		c.args = append(c.args, v)
	}
	if t.kind == KindVM {
		c.ids, c.idArgs = "SELECT vm_id AS id FROM vm_terms WHERE kind = ? AND value"+among, append([]any{l.term}, c.args...)
	}
	return c
}

// prefixRange bounds the texts that begin with a prefix, compared by their bytes: from low, below high. The greatest code
// point ends it: no text that is found in Ganeti has it.
func prefixRange(prefix string) (low, high string) {
	return prefix, prefix + "\U0010FFFF"
}

// globPrefix is the part of a glob before its first wildcard, and whether it has one.
func globPrefix(pattern string) (prefix string, isGlob bool) {
	i := strings.IndexAny(pattern, "*?")
	if i < 0 {
		return pattern, false
	}
	return pattern[:i], true
}

// cleanTexts makes texts what the database would have stored.
func cleanTexts(texts []string) []string {
	clean := slices.Clone(texts)
	for i, s := range clean {
		clean[i] = cleanText(s)
	}
	return clean
}
