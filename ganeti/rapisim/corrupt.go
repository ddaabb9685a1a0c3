package rapisim

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Edit changes one item of an answer just before it is sent: it is given the
// item's JSON, which it may alter or keep, and returns what to send in its
// place; nothing means that the item is left out. It is called while the
// cluster is locked, so it must not call the cluster.
type Edit func(item []byte) []byte

// Corrupt has every answer send the item of the named instance, node, group or
// network through edit, from now on; a nil edit mends it.
func (c *Cluster) Corrupt(name string, edit Edit) error {
	defer c.changing()()
	if v, ok := c.byName[name]; ok {
		return c.apply(v, func(v *instance) error { v.edit = edit; return nil })
	}
	c.stale()
	if n, err := c.findNode(name); err == nil {
		n.edit = edit
		return nil
	}
	if g, err := c.findGroup(name); err == nil {
		g.edit = edit
		return nil
	}
	for _, n := range c.networks {
		if n.name == name {
			n.edit = edit
			return nil
		}
	}
	return fmt.Errorf("corrupting %s: %w", name, ErrNotFound)
}

// SetField returns an Edit that gives a key of the item another value, as JSON
// text (42, null, "x", or what is no JSON at all). A key the item does not
// have is added.
func SetField(key, value string) Edit {
	return func(item []byte) []byte {
		out, err := setField(item, key, []byte(value))
		if err != nil {
			end := bytes.LastIndexByte(item, '}')
			return append(item[:end:end], fmt.Sprintf(", %q: %s}", key, value)...)
		}
		return out
	}
}

// DropField returns an Edit that removes a key of the item.
func DropField(key string) Edit {
	return func(item []byte) []byte {
		out, err := setField(item, key, nil)
		if err != nil {
			return item
		}
		return out
	}
}

// Omit returns an Edit that leaves the item out.
func Omit() Edit { return func([]byte) []byte { return nil } }

// setField replaces the value of a top-level key, or removes the pair if value
// is nil. It knows only the writer's own spelling of JSON.
func setField(object []byte, key string, value []byte) ([]byte, error) {
	name := append(appendString(nil, key), ": "...)
	head, tail, found := bytes.Cut(object, name)
	if !found {
		return nil, fmt.Errorf("key %s: %w", key, ErrNotFound)
	}
	var old json.RawMessage
	if err := json.NewDecoder(bytes.NewReader(tail)).Decode(&old); err != nil {
		return nil, fmt.Errorf("reading the value of %s: %w", key, err)
	}
	rest := tail[len(old):]
	if value != nil {
		return bytes.Join([][]byte{head, name, value, rest}, nil), nil
	}
	if trimmed, found := bytes.CutPrefix(rest, []byte(", ")); found {
		rest = trimmed
	} else {
		head = bytes.TrimSuffix(head, []byte(", "))
	}
	return bytes.Join([][]byte{head, rest}, nil), nil
}
