package ganeti_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// hiddenNames must be redacted whatever else is.
var hiddenNames = regexp.MustCompile(`^(?i:osparams_secret|osparams_private|vnc_password|spice_password|rapi_password|cluster_domain_secret|` +
	`password|passwd|passphrase|secret|secret_key|private_key|api_key|apikey|token|access_token|auth_token|client_secret|` +
	`root_password|root_passwd|rootpw|admin_password|user_password|rdp_password|db_password|ldap_password|luks_passphrase)$`)

// hides says whether the value of a name is redacted.
func hides(name string) bool {
	out, err := builtIn.Storable(fmt.Appendf(nil, `{%s: "x"}`, quote(name)))
	return err == nil && bytes.Contains(out, []byte("[redacted]"))
}

func quote(s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return text
}

// tooLarge says whether a number is beyond what every reader of the database takes.
func tooLarge(n json.Number) bool {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(n.String()), "e")
	e, err := strconv.Atoi(strings.TrimPrefix(exponent, "+"))
	return len(mantissa) > 300 || exponent != "" && (err != nil || e > 300 || e < -300)
}

// redactedTree is what should be stored of a tree. It fails where two names become one.
func redactedTree(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "\x00", "\ufffd"), nil
	case json.Number:
		if tooLarge(v) {
			return nil, nil
		}
		return v, nil
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			var err error
			if out[i], err = redactedTree(e); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			if out[name] = e; hides(name) {
				out[name] = hiddenValue(e)
				continue
			}
			child, err := redactedTree(e)
			if err != nil {
				return nil, err
			}
			out[name] = child
			if strings.ContainsAny(name, "\x00\ufffd") {
				return nil, fmt.Errorf("%q may stand for another name", name)
			}
		}
		return out, nil
	default:
		return v, nil
	}
}

func hiddenValue(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		if v == "" {
			return ""
		}
	}
	return "[redacted]"
}

// emptyIsHidden lets an empty container stand for a redacted one: whether it has something to hide depends on its white
// space.
func emptyIsHidden(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = emptyIsHidden(v[i])
		}
	case map[string]any:
		for name, e := range v {
			if hides(name) && (reflect.DeepEqual(e, []any{}) || reflect.DeepEqual(e, map[string]any{})) {
				v[name] = "[redacted]"
				continue
			}
			v[name] = emptyIsHidden(e)
		}
	}
	return v
}

func tree(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

// leak looks for the value of a secret name, names given twice included, which a tree does not show.
func leak(raw []byte) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	type level struct{ object, value bool }
	var levels []level
	name, secret := "", false
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		top := len(levels) - 1
		if delim, ok := tok.(json.Delim); ok && (delim == '}' || delim == ']') {
			if secret = false; len(levels) > 0 {
				levels = levels[:top]
			}
			continue
		}
		if top >= 0 && levels[top].object && !levels[top].value {
			if s, ok := tok.(string); ok {
				name, secret, levels[top].value = s, hiddenNames.MatchString(s), true
				continue
			}
		}
		if top >= 0 {
			levels[top].value = false
		}
		delim, opens := tok.(json.Delim)
		if secret && tok != nil && tok != "" && tok != "[redacted]" && (!opens || d.More()) {
			return fmt.Errorf("the value of %q begins with %v", name, tok)
		}
		secret = false
		if opens {
			levels = append(levels, level{object: delim == '{'})
		}
	}
}

// FuzzStorable_Meaning: no value of a secret name survives, and everything else means what it meant.
func FuzzStorable_Meaning(f *testing.F) {
	for _, s := range []string{
		`{"a":{"Password":"hunter2","b":[{"token":[1,2]}]},"c":1e400,"d":"x\u0000y\ud800"}`, `{"password":"a","password":null}`, `{"password":{"password":"x"}}`,
		`{"p\u0061ssword":"x"}`, `{"pass\u0000word":"x"}`, `{"secret":[ ],"passwd":"","rootpw":null,"apikey":false}`, `[1.50,-0,1e300,1E-301]`, "{\"\xff\":1}",
		`{"osparams_secret":{"a":"b"},"osparams_secret_file":"/x"}`,
	} {
		f.Add([]byte(s))
	}
	f.Add(file(f, "instance-kvm.body"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, err := builtIn.Storable(raw)
		if err != nil {
			return
		}
		if err := leak(out); err != nil {
			t.Fatalf("%q gives %q: %v", raw, out, err)
		}
		before, err := tree(raw)
		if err != nil {
			return // Python's JSON only
		}
		want, err := redactedTree(before)
		if err != nil {
			return
		}
		after, err := tree(out)
		if err != nil {
			t.Fatalf("%q gives %q: %v", raw, out, err)
		}
		if want, after = emptyIsHidden(want), emptyIsHidden(after); !reflect.DeepEqual(want, after) {
			t.Fatalf("%q gives %q, which means %v; want %v", raw, out, after, want)
		}
	})
}
