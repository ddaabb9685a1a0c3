package ganeti

import (
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// maxSecretName is the length of the longest name in secretName, in bytes.
const maxSecretName = 21

// secretName is the one list of names whose values are never stored or shown,
// in lower case. Names that end in _file are paths, not secrets, and are not
// on it.
func secretName(name string) bool {
	switch name {
	// Ganeti's own: instance and cluster parameters, opcodes of jobs.
	case "osparams_secret", "osparams_private", "vnc_password", "spice_password",
		"rapi_password", "cluster_domain_secret":
		return true
	// What sites put into OS parameters, hooks and tags of their own.
	case "password", "passwd", "passphrase", "secret", "secret_key", "private_key",
		"api_key", "apikey", "token", "access_token", "auth_token", "client_secret",
		"root_password", "root_passwd", "rootpw", "admin_password", "user_password",
		"rdp_password", "db_password", "ldap_password", "luks_passphrase":
		return true
	default:
		return false
	}
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
// on the list.
func isSecret(name []byte) bool {
	if slices.Contains(name, '\\') {
		name = unescapeName(name)
	}
	var lower [maxSecretName]byte
	if len(name) > len(lower) {
		return false
	}
	for i, b := range name {
		if b >= 'A' && b <= 'Z' {
			b += 'a' - 'A'
		}
		lower[i] = b
	}
	return secretName(string(lower[:len(name)]))
}
