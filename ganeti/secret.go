package ganeti

import (
	"fmt"
	"io"

	"ganeticache/oddity"
)

const redacted = "[redacted]"

// Secret is a string that no formatting verb, logger or encoder prints. Only
// [Secret.Reveal] gives the text away, so that a search for Reveal finds every
// place that needs it.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// Explain says what in a password of that user, which came from there, is
// probably not meant; "" when there is nothing. It gives nothing else away.
func (s Secret) Explain(source, username string) string {
	return oddity.Explain(string(s), source, username)
}

// String returns a placeholder.
func (Secret) String() string { return redacted }

// GoString returns a placeholder, for %#v.
func (Secret) GoString() string { return redacted }

// Format prints a placeholder whatever the verb; %d and %x would otherwise
// reach the bytes.
func (Secret) Format(f fmt.State, _ rune) {
	// A fmt.State never fails; fmt has nowhere to report an error either.
	_, _ = io.WriteString(f, redacted) //nolint:errcheck // see above
}

// MarshalJSON returns a placeholder as a JSON string.
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// MarshalText returns a placeholder; YAML encoders use it too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format prints the settings without the password. Without it, a verb that
// does not fit, such as %s for a pointer inside a list, has fmt print what it
// finds without asking Password how.
func (s Settings) Format(f fmt.State, verb rune) {
	type plain Settings
	fmt.Fprintf(f, fmt.FormatString(f, verb), plain(s))
}
