package ganeti_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"ganeticache/ganeti"
)

// proper says whether a text can be an identity.
func proper(text string, limit int) bool {
	return text != "" && len(text) <= limit && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == utf8.RuneError
	})
}

// FuzzIdentify: a key vouches for an object's presence, so it comes only from an item that is JSON as a whole, and is
// what encoding/json reads there.
func FuzzIdentify(f *testing.F) {
	for _, s := range []string{
		`{"uuid":"u","name":"n"}`, `{"\u0075uid":"u"}`, `{"uuid":"u","uuid":"u"}`, `{"uuid":"u","uuid":"v"}`, `{"uuid":"u","x":[1}`, `{"id":7,"summary":["A(b)"]}`,
		`{"id":"7"}`, `{"uuid":5,"id":7}`, `{"uuid":"u","x":NaN}`, `{"uuid":"\ud800"}`, "{\"uuid\":\"\xff\"}", `{"UUID":"u"}`, `{"a":{"uuid":"u"}}`, `{"uuid":null,"id":7}`,
	} {
		f.Add([]byte(s))
	}
	f.Add(file(f, "instance-kvm.body"))
	f.Add(file(f, "job-error.body"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		key, name := ganeti.Identify(raw)
		if len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("the name %q is unfit for showing", name)
		}
		if key != "" && !proper(key, 64) {
			t.Errorf("the key %q is no proper one", key)
		}
		if _, err := builtIn.Storable(raw); err != nil && key != "" && !strings.Contains(err.Error(), "deep") {
			t.Errorf("%q is no JSON (%v) and has the key %q", raw, err, key)
		}
		var m map[string]any
		if json.Unmarshal(raw, &m) != nil || m == nil || key == "" {
			return
		}
		id, isNumber := m["id"].(float64)
		said, isText := m["id"].(string)
		switch uuid, found := m["uuid"]; {
		case found && uuid == key:
		case !found && isNumber && (strconv.FormatFloat(id, 'f', -1, 64) == key || id > 1<<53):
		case !found && isText && strings.TrimLeft(said, "+0") == key:
		default:
			t.Errorf("%q has the key %q, encoding/json reads uuid %v and id %v", raw, key, uuid, m["id"])
		}
	})
}

// TestIdentify_TwoUUIDsAreNone: an item with two different uuids is two items that have lost what was between them.
// Whichever uuid counted, the other object would seem to be gone.
func TestIdentify_TwoUUIDsAreNone(t *testing.T) {
	t.Parallel()
	for _, merged := range []string{
		`{"uuid": "u", "name": "n", "uuid": "v", "name": "m"}`, `{"uuid": "u", "uuid": "v", "uuid": "u", "name": "n"}`,
		`{"uuid": "u", "uuid": 5, "uuid": "v", "name": "n"}`, `{"uuid": "u", "\u0075uid": "v", "name": "n"}`,
	} {
		if key, _ := ganeti.Identify([]byte(merged)); key != "" {
			t.Errorf("Identify(%s) = %q, want no key", merged, key)
		}
		for name, decode := range decoders {
			if name == "Job" {
				continue // jobs have numbers
			}
			if v, err := decode([]byte(merged)); err == nil || !strings.Contains(err.Error(), "uuid: ") {
				t.Errorf("%s: %s gives %+v, %v; want an error that names uuid", name, merged, v, err)
			}
		}
	}
	const same = `{"uuid": "u", "name": "n", "uuid": "u"}`
	if got, err := ganeti.DecodeInstance([]byte(same)); err != nil || got.UUID != "u" {
		t.Errorf("%s: %+v, %v; want the one uuid it has", same, got, err)
	}
}
