package config

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// maxFile is the largest configuration file read, in bytes: ten thousand clusters fit in.
	maxFile = 4 << 20
	// maxNodes bounds the values looked at, so that aliases of aliases cannot multiply without end.
	maxNodes = 500_000
)

// fileLayer is what a configuration file says: values by path ("clusters.0.rapi"), already of their final types, and
// where each was written. YAML is walked node by node instead of being decoded, because only nodes know their lines.
type fileLayer struct {
	catalogue *catalogue
	problems  *problems
	name      string // as the operator knows the file
	values    map[string]any
	origins   map[string]origin
	clusters  int
	nodes     int // looked at so far
}

// at is the place of a node, for messages; display is the key as the operator wrote it, "" for the whole file.
func (f *fileLayer) at(n *yaml.Node, display string) origin {
	place := f.name + ":" + strconv.Itoa(n.Line)
	if display != "" {
		place += ": " + display
	}
	return origin{line: n.Line, place: place}
}

// entry is one key of a mapping with its value.
type entry struct{ key, value *yaml.Node }

// mapping walks one section. table is its path in the table of keys ("clusters[].tls"), path the one of its values
// ("clusters.0.tls") and display the operator's ("clusters[0].tls").
func (f *fileLayer) mapping(n *yaml.Node, table, path, display string) {
	for _, e := range f.entries(n, display) {
		name := e.key.Value
		shown, below := join(display, name), join(table, name)
		switch {
		case e.key.Kind != yaml.ScalarNode:
			f.problems.addf(f.at(e.key, display), "a key must be a word, not a list or a mapping")
		case table == "" && name == "clusters":
			f.list(e.value)
		case strings.ContainsAny(name, ".["):
			f.unknown(e.key, table, path, name, shown)
		case f.catalogue.section(below):
			f.section(e.value, below, join(path, name), shown)
		default:
			k, found := f.catalogue.byPath[below]
			if !found {
				f.unknown(e.key, table, path, name, shown)
				continue
			}
			f.scalar(e.value, k, join(path, name), shown)
		}
	}
}

// section walks a known section; one without a value is what remains when its lines are commented out.
func (f *fileLayer) section(n *yaml.Node, table, path, display string) {
	n = target(n)
	switch {
	case n.Kind == yaml.MappingNode:
		f.mapping(n, table, path, display)
	case !isNull(n):
		children := f.catalogue.children[table]
		f.problems.addf(f.at(n, display), "must be a section with keys below it, such as %s", children[0])
	}
}

// list walks the clusters.
func (f *fileLayer) list(n *yaml.Node) {
	n = target(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		f.problems.addf(f.at(n, "clusters"), `must be a list: begin each cluster with "- name:"`)
		return
	}
	for i, item := range n.Content {
		display := fmt.Sprintf("clusters[%d]", i)
		path := fmt.Sprintf("clusters.%d", i)
		f.clusters++
		at := f.at(item, display)
		f.origins[path] = at
		if item = target(item); item.Kind != yaml.MappingNode {
			f.problems.addf(at, "must be a cluster with keys such as name and rapi")
			// Said once is enough: its keys are not missing as well.
			f.origins[join(path, "name")], f.origins[join(path, "rapi")] = at, at
			continue
		}
		f.mapping(item, "clusters[]", path, display)
	}
}

// scalar reads the value of a key, or the list of values of a key that may have several.
func (f *fileLayer) scalar(n *yaml.Node, k Key, path, display string) {
	at := f.at(n, display)
	f.origins[path] = at
	n = target(n)
	var ok bool
	text := n.Value
	if n.Kind == yaml.SequenceNode && k.element != "" {
		text, at, ok = f.several(n, k, at, display)
		f.origins[path] = at
	} else {
		ok = f.single(n, k.Type, at)
	}
	if !ok {
		return
	}
	value, err := k.parse(text)
	if err != nil {
		f.problems.addf(at, "%v", err)
		return
	}
	f.values[path] = value
}

// single says whether a node is one value, whose text its key may read; kind is its type in words.
func (f *fileLayer) single(n *yaml.Node, kind string, at origin) bool {
	switch {
	case n.Kind != yaml.ScalarNode:
		f.problems.addf(at, "must be a single value (%s), not a list or a section", kind)
	case isNull(n):
		f.problems.addf(at, "has no value; write one (%s) or remove the line", kind)
	case !plainTag(n.ShortTag()):
		f.problems.addf(at, "has the YAML tag %s, which means nothing here; remove the tag", n.ShortTag())
	default:
		return true
	}
	return false
}

// several reads the list of values of a key into one text, separated by commas as in the other layers. What is wrong is
// said of the value in question, whose place is returned.
func (f *fileLayer) several(n *yaml.Node, k Key, at origin, display string) (string, origin, bool) {
	if len(n.Content) == 0 {
		f.problems.addf(at, "is an empty list; write at least one value (%s)", k.element)
		return "", at, false
	}
	texts := make([]string, 0, len(n.Content))
	for i, item := range n.Content {
		if f.nodes++; f.nodes > maxNodes {
			return "", at, false
		}
		at := f.at(item, fmt.Sprintf("%s[%d]", display, i))
		item = target(item)
		if !f.single(item, k.element, at) {
			return "", at, false
		}
		if _, err := k.parse(item.Value); err != nil {
			f.problems.addf(at, "%v", err)
			return "", at, false
		}
		texts = append(texts, item.Value)
	}
	return strings.Join(texts, ","), at, true
}

// unknown explains a key that is not in the table.
func (f *fileLayer) unknown(n *yaml.Node, table, path, name, display string) {
	at := f.at(n, display)
	if strings.EqualFold(name, "password") || strings.EqualFold(name, "rapi_password") {
		f.problems.addf(at, "a password does not belong in this file; write it into a file of its own and name that with "+
			"password_file, or name an environment variable with password_env")
		f.origins[join(path, "password_file")] = at // a password was given, only in the wrong way
		return
	}
	if _, known := f.catalogue.byPath[join(table, name)]; known {
		section, key, _ := strings.Cut(name, ".")
		f.problems.addf(at, `is not a known key, because a dot does not nest; write "%s:" and below it, indented, "%s:"`, section, key)
		return
	}
	if f.problems.full() {
		f.problems.addf(at, "is not a known key")
		return
	}
	near := f.catalogue.nearestKey(table, name)
	if parent, _, nested := strings.Cut(display, "."); nested && strings.HasPrefix(parent, "clusters[") {
		near = strings.Replace(near, "clusters[]", parent, 1)
	}
	f.problems.addf(at, "is not a known key; did you mean %s?", near)
}

// entries returns the keys of a mapping, those merged with "<<" included, each key once; what the mapping says itself
// wins over what it merges.
func (f *fileLayer) entries(n *yaml.Node, display string) []entry {
	var own, merged []entry
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := target(n.Content[i]), n.Content[i+1]
		if f.nodes++; f.nodes > maxNodes {
			return nil
		}
		if key.ShortTag() == "!!merge" {
			merged = append(merged, f.merged(target(value), display)...)
			continue
		}
		if line, twice := seen[key.Value]; twice && key.Kind == yaml.ScalarNode {
			f.problems.addf(f.at(n.Content[i], join(display, key.Value)), "is given twice, first on line %d; keep one", line)
			continue
		}
		seen[key.Value] = n.Content[i].Line
		own = append(own, entry{key, value})
	}
	for _, e := range merged {
		if _, found := seen[e.key.Value]; !found {
			seen[e.key.Value] = e.key.Line
			own = append(own, e)
		}
	}
	return own
}

// merged returns the keys of what "<<" names: a mapping or a list of them.
func (f *fileLayer) merged(n *yaml.Node, display string) []entry {
	if f.nodes++; f.nodes > maxNodes {
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		return f.entries(n, display)
	case yaml.SequenceNode:
		var all []entry
		for _, item := range n.Content {
			all = append(all, f.merged(target(item), display)...)
		}
		return all
	default:
		f.problems.addf(f.at(n, display), `"<<" must name a section or a list of sections`)
		return nil
	}
}

// target follows an alias. The parser resolves each to an anchor, never to another alias.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// plainTag reports whether a scalar is of one of YAML's own types; their text is read by the key's parser, so that
// 12345 is a fine username.
func plainTag(tag string) bool {
	switch tag {
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
		return true
	}
	return false
}
