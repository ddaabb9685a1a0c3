package ganeti

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxSecretName is the length of the longest name that may be on the list of
// secrets, in bytes. A longer one is only compared with the endings.
const maxSecretName = 64

// Redactor replaces the values of secret names in JSON: those of the built-in
// list and those it was made with. A nil Redactor has the built-in list alone.
// It is never changed and safe for concurrent use.
type Redactor struct {
	names   map[string]bool // in lower case, with "-" as "_"
	endings []string        // of entries that begin with "*"
}

// NewRedactor returns a Redactor for the built-in list and further names. Case
// does not matter, and "-" is the same as "_". A name that begins with "*"
// stands for every name that ends in the rest: "*_pin". The error names the
// entry that is no such name.
func NewRedactor(names ...string) (*Redactor, error) {
	r := &Redactor{names: make(map[string]bool, len(names))}
	for _, name := range names {
		plain := strings.ReplaceAll(strings.ToLower(name), "-", "_")
		ending, isEnding := strings.CutPrefix(plain, "*")
		if err := checkSecretName(name, ending); err != nil {
			return nil, err
		}
		if isEnding {
			r.endings = append(r.endings, ending)
		} else {
			r.names[plain] = true
		}
	}
	return r, nil
}

// checkSecretName says what is wrong with an entry; rest is what follows "*".
func checkSecretName(name, rest string) error {
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '*' || r == '"' || r == '\\' }
	switch {
	case rest == "":
		return fmt.Errorf("%.80q holds no name; write the name of a field such as license_key, or an ending such as *_pin", name)
	case len(rest) > maxSecretName:
		return fmt.Errorf("%.80q is longer than %d bytes", name, maxSecretName)
	case strings.ContainsFunc(rest, odd):
		return fmt.Errorf("%.80q is no name of a field; a * may only stand at its beginning, and the rest be letters, digits and signs of ASCII", name)
	case len(rest) < 3 && strings.HasPrefix(name, "*"):
		return errors.New(name + " would hide too much; an ending has at least 3 characters")
	}
	return nil
}

// secretName is the built-in list of names whose values are never stored or
// shown, in lower case and with "_" for "-". Names that end in _file are
// paths, not secrets, and are not on it.
func secretName(name []byte) bool {
	switch string(name) {
	// Ganeti's own: instance and cluster parameters, opcodes of jobs.
	case "osparams_secret", "osparams_private", "osparams_private_cluster", "vnc_password", "spice_password",
		"rapi_password", "cluster_domain_secret":
		return true
	// An opcode and result of moving an instance between clusters: signed with
	// cluster_domain_secret, and good for whoever shows them.
	case "source_handshake", "handshake", "x509_key_name":
		return true
	// A disk's ids in the results of jobs: for DRBD their last element is the
	// shared secret, unless Ganeti is new enough to leave it out.
	case "logical_id", "physical_id", "drbd_secret", "shared_secret":
		return true
	// What sites put into OS parameters, hooks and tags of their own.
	case "password", "passwd", "passphrase", "secret", "secret_key", "private_key",
		"api_key", "apikey", "token", "access_token", "auth_token", "client_secret",
		"root_password", "root_passwd", "rootpw", "admin_password", "user_password",
		"rdp_password", "db_password", "ldap_password", "luks_passphrase":
		return true
	default:
		return secretEnding(name)
	}
}

// secretEnding says whether a name ends like a secret's: "mysql_password".
func secretEnding(name []byte) bool {
	if len(name) == 0 {
		return false
	}
	switch name[len(name)-1] { // most names end here
	case 'd':
		return endsIn(name, "_password") || endsIn(name, "_passwd")
	case 'e':
		return endsIn(name, "_passphrase")
	case 't':
		return endsIn(name, "_secret")
	case 'n':
		return endsIn(name, "_token")
	case 'y':
		return endsIn(name, "_private_key") || endsIn(name, "_api_key") || endsIn(name, "_secret_key")
	default:
		return false
	}
}

func endsIn(name []byte, end string) bool {
	return len(name) >= len(end) && string(name[len(name)-len(end):]) == end
}

// unescapeName spells out a name written with escapes, which could otherwise
// hide one that is on the list.
func unescapeName(name []byte) []byte {
	quoted := append(append([]byte{'"'}, name...), '"')
	plain, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		return name
	}
	return plain
}

// isSecret reports whether a name, given as the bytes between its quotes, is
// on the list, or else the name of OS parameters. Of a name that is too long
// only the end is looked at.
func (r *Redactor) isSecret(name []byte) (secret, params bool) {
	if slices.Contains(name, '\\') {
		name = unescapeName(name)
	}
	whole := len(name) <= maxSecretName
	name = name[max(0, len(name)-maxSecretName):]
	var lower [maxSecretName]byte
	for i, b := range name {
		switch {
		case b >= 'A' && b <= 'Z':
			b += 'a' - 'A'
		case b == '-':
			b = '_'
		}
		lower[i] = b
	}
	plain := lower[:len(name)]
	if secretName(plain) {
		return true, false
	}
	params = isOSParams(plain)
	if r == nil {
		return false, params
	}
	return whole && r.names[string(plain)] || slices.ContainsFunc(r.endings, func(end string) bool {
		return endsIn(plain, end)
	}), params
}

// isSecretParam is isSecret for the name of an OS parameter that is not on the list.
func isSecretParam(name []byte) bool {
	if slices.Contains(name, '\\') {
		name = unescapeName(name)
	}
	return secretParam(strings.ReplaceAll(strings.ToLower(string(name)), "-", "_"))
}

// Fingerprint tells one list of hidden names from another.
func (r *Redactor) Fingerprint() string {
	if r == nil {
		return "built-in"
	}
	names := append(slices.Sorted(maps.Keys(r.names)), "*")
	names = append(names, slices.Sorted(slices.Values(r.endings))...)
	if len(names) == 1 {
		return "built-in"
	}
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return hex.EncodeToString(sum[:8])
}
