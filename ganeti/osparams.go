package ganeti

import (
	"bytes"
	"slices"
	"strings"
)

// What sites put into OS parameters bears names of their own, so that no list
// has them all: within osparams a name hides its value when it looks like a
// secret's. What is hidden without need can be read in Ganeti; what is shown
// without need is in every copy of the database.

// isOSParams says whether a name in lower case is that of OS parameters:
// osparams, custom_osparams, an opcode's os_params.
func isOSParams(name []byte) bool {
	return bytes.Contains(name, []byte("osparam")) || bytes.Contains(name, []byte("os_param"))
}

// harmless are parts of names that look like a secret's and are none. They are
// taken out before the rest is judged: keymap_password is a secret all the same.
//
//nolint:gochecknoglobals // made once: it is asked for each parameter of each object
var harmless = strings.NewReplacer(
	"passthrough", "", "pass_through", "", "bypass", "", "compass", "", "passive", "", "passenger", "",
	"passwordless", "", "password_login", "", "password_authentication", "", "password_policy", "",
	"password_length", "", "password_min_length", "", "password_max_age", "", "password_expiry", "",
	"keymap", "", "keyboard", "", "keylayout", "", "key_layout", "", "keytable", "",
	"key_type", "", "keytype", "", "key_size", "", "keysize", "", "key_length", "", "keyserver", "",
	"authorized_keys", "", "authorized_key", "", "authorizedkeys", "",
	"public_keys", "", "public_key", "", "publickeys", "", "publickey", "", "pubkeys", "", "pubkey", "", "pub_key", "",
	"monkey", "", "turkey", "", "hockey", "",
	"hash_algorithm", "", "hash_algo", "", "hash_type", "", "hashtag", "",
	"salt_master", "", "salt_minion", "", "saltstack", "", "secretary", "", "sacred", "",
)

// secretParts give a name away wherever they stand in it.
//
//nolint:gochecknoglobals // likewise, and never changed
var secretParts = []string{
	"pass", "pwd", "pswd", "secret", "token", "cred", "hash", "psk", "key", "salt", "crypt", "luks", "shadow",
	"cookie", "kennwort", "geheim", "contrasen", "senha", "user_data", "userdata", "cloud_config", "cloud_init",
	"cloudconfig", "cloudinit", "personality", "connection_string", "connectionstring", "community", "p12", "pfx",
}

// secretWord says whether one word of a name is that of a secret.
func secretWord(word string) bool {
	switch word = strings.Trim(word, "0123456789"); word {
	case "pin", "puk", "otp", "totp", "auth", "oauth", "authorization", "pem", "pfx", "pkcs", "jwt", "sas", "dsn", "mdp":
		return true
	}
	return strings.HasPrefix(word, "pw") || strings.HasSuffix(word, "pw")
}

// secretParam says whether the name of an OS parameter, in lower case, looks
// like a secret's.
func secretParam(name string) bool {
	name = harmless.Replace(name)
	if name == "private" {
		return true
	}
	for _, part := range secretParts {
		if strings.Contains(name, part) {
			return true
		}
	}
	words := strings.FieldsFunc(name, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return slices.ContainsFunc(words, secretWord)
}

// secretValue says whether a string of an OS parameter, quotes included, is a
// secret whatever its name: a private key, a password's hash as crypt(3) makes
// it, an address with a password, further parameters with a secret's name.
func secretValue(quoted []byte) bool {
	if bytes.Contains(quoted, []byte("PRIVATE KEY")) || assignsSecret(quoted) {
		return true
	}
	for _, start := range []string{`"$1$`, `"$2a$`, `"$2b$`, `"$2y$`, `"$5$`, `"$6$`, `"$7$`, `"$y$`, `"$gy$`, `"$argon2`, `"{SSHA`, `"{SHA`, `"{CRYPT}`} {
		if bytes.HasPrefix(quoted, []byte(start)) {
			return true
		}
	}
	for rest := quoted; ; {
		_, after, ok := bytes.Cut(rest, []byte("://"))
		if !ok {
			return false
		}
		end := bytes.IndexAny(after, "/?#\" \\")
		if end < 0 {
			end = len(after)
		}
		user, _, ok := bytes.Cut(after[:end], []byte("@"))
		if ok && bytes.Contains(user, []byte(":")) {
			return true
		}
		rest = after
	}
}

// assignsSecret finds name=value with the name of a secret.
func assignsSecret(quoted []byte) bool {
	for i, b := range quoted {
		if b != '=' {
			continue
		}
		from := i
		for from > 0 && isWord(quoted[from-1]) {
			from--
		}
		if from < i && isSecretParam(quoted[from:i]) {
			return true
		}
	}
	return false
}

func isWord(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '-' || b == '.'
}
