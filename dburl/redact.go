package dburl

import (
	neturl "net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// secret says whether the driver takes a password from a parameter.
func secret(key string) bool { return key == "password" || key == "sslpassword" }

// shown are the parameters whose values are printed when they look like what they should be.
func shown() []string {
	return []string{
		"application_name", "binary_parameters", "client_encoding", "connect_timeout", "dbname", "fallback_application_name",
		"host", "hostaddr", "idle_in_transaction_session_timeout", "krbspn", "krbsrvname", "lock_timeout", "passfile", "port",
		"search_path", "service", "servicefile", "sslcert", "sslcertmode", "sslcrl", "sslinline", "sslkey", "ssl_max_protocol_version",
		"ssl_min_protocol_version", "sslmode", "sslnegotiation", "sslrootcert", "sslsni", "statement_timeout",
		"target_session_attrs", "timezone", "user", "disable_prepared_binary_result", "load_balance_hosts",
		"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout", "channel_binding",
		"require_auth", "gssencmode", "role",
	}
}

// readParameters takes the query apart. Anything that is not KEY=VALUE, and each key that stands twice, is refused.
func (a *Address) readParameters(query string) error {
	if query == "" {
		return nil
	}
	if _, err := neturl.ParseQuery(query); err != nil {
		return ErrMalformed
	}
	for pair := range strings.SplitSeq(query, "&") {
		k, raw, found := strings.Cut(pair, "=")
		value, err := neturl.QueryUnescape(raw)
		if err != nil || !found || k == "" || strings.ContainsFunc(k, odd("_.")) || slices.ContainsFunc(a.parameters, func(p parameter) bool { return p.key == k }) {
			return ErrMalformed
		}
		switch {
		case secret(k), slices.Contains(shown(), k):
		case looksSecret(k):
			return errParameter
		}
		if (k == "user" || k == "dbname") && value != "" && !name(value) {
			return ErrMalformed
		}
		a.parameters = append(a.parameters, parameter{k, raw, value})
	}
	return nil
}

// looksSecret recognises what somebody may have taken for the name of the password's parameter.
func looksSecret(key string) bool {
	return regexp.MustCompile(`(?i)pass|pw|secret|token|cred|auth|key|pin\b`).MatchString(key)
}

// visible says whether a parameter's value may be printed.
func (p parameter) visible() bool {
	if secret(p.key) || !slices.Contains(shown(), p.key) {
		return p.value == ""
	}
	return !strings.ContainsFunc(strings.TrimPrefix(p.value, "@"), odd("_./:,+$ -"))
}

// String returns the address without what is secret or may be.
func (a *Address) String() string {
	var b strings.Builder
	b.WriteString(a.scheme + "://")
	if a.hasUser {
		b.WriteString(neturl.User(a.URL.User.Username()).String())
		if p, _ := a.URL.User.Password(); p != "" {
			b.WriteString(":" + Hidden)
		}
		b.WriteString("@")
	}
	b.WriteString(a.authority + a.path)
	for i, p := range a.parameters {
		b.WriteString([]string{"?", "&"}[min(i, 1)] + p.key + "=")
		if p.visible() {
			b.WriteString(p.raw)
		} else {
			b.WriteString(Hidden)
		}
	}
	return b.String()
}

// Redact returns an address of either kind without what is secret or may be, for logs and messages.
func Redact(raw string) string {
	if path, found := strings.CutPrefix(raw, "sqlite:"); found {
		if checkSQLite(path) != nil {
			return Unreadable
		}
		return raw
	}
	a, err := Parse(raw)
	if err != nil {
		return Unreadable
	}
	return a.String()
}

// Scrub takes the address's secrets out of a text that a driver or a server wrote, in each spelling they may have there.
func (a *Address) Scrub(text string) string {
	var spellings []string
	add := func(values ...string) {
		for _, v := range values {
			if v != "" {
				spellings = append(spellings, v)
			}
		}
	}
	if p, _ := a.URL.User.Password(); p != "" {
		add(p, a.rawPassword)
	}
	for _, p := range a.parameters {
		if !p.visible() {
			add(p.value, p.raw)
		}
	}
	for _, s := range spellings {
		quoted := strings.Trim(strconv.Quote(s), `"`)
		ascii := strings.Trim(strconv.QuoteToASCII(s), `"`)
		add(neturl.QueryEscape(s), neturl.PathEscape(s), neturl.UserPassword("u", s).String()[2:], quoted, ascii)
	}
	// The longest first: one may be a part of another.
	slices.SortFunc(spellings, func(a, b string) int { return len(b) - len(a) })
	for _, s := range spellings {
		text = strings.ReplaceAll(text, s, Hidden)
	}
	return text
}

// suspicious finds addresses within a text, as somebody who writes one where none belongs leaves them.
func suspicious() *regexp.Regexp {
	return regexp.MustCompile("(?i)postgres(ql)?:[^\\s\"'`]+")
}

// ScrubText takes addresses of PostgreSQL, and the given values that look like one, out of a text.
func ScrubText(text string, values []string) string {
	looksLike := regexp.MustCompile(`(?i)postgres(ql)?:|\bpass(word|wd)?\s*=`)
	for _, v := range values {
		if strings.HasPrefix(v, "-") { // a flag with its value
			_, v, _ = strings.Cut(v, "=")
		}
		if !looksLike.MatchString(v) {
			continue
		}
		for _, form := range []string{v, strings.Trim(strconv.Quote(v), `"`), strings.Trim(strconv.QuoteToASCII(v), `"`)} {
			text = strings.ReplaceAll(text, form, Redact(v))
		}
	}
	return suspicious().ReplaceAllStringFunc(text, func(found string) string {
		address := strings.TrimRight(found, ".,;:)")
		if isExample(address) {
			return found
		}
		return Redact(address) + found[len(address):]
	})
}

// isExample recognises the addresses in our own sentences, whose parts are words in capitals.
func isExample(address string) bool {
	return regexp.MustCompile(`^postgres(ql)?://((USER|OWNER)(:PASSWORD)?@HOST/DATABASE(\?sslmode=(MODE|verify-full))?)?$`).MatchString(address)
}
