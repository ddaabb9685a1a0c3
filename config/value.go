package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"ganeticache/dburl"
	"ganeticache/ganeti"
)

// parser turns the text of a value, wherever it was written, into what Config holds. Its error is the sentence's
// second half: what is wrong and what to write instead.
type parser func(text string) (any, error)

func parseText(text string) (any, error) {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, errors.New("the value holds a control character or a line break; remove it")
	}
	return text, nil
}

// parseNeeded is parseText for what has no meaning when empty.
func parseNeeded(text string) (any, error) {
	if strings.TrimSpace(text) == "" {
		return nil, errors.New("the value is empty; give one or remove the key")
	}
	return parseText(text)
}

func parseBool(text string) (any, error) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return nil, fmt.Errorf("%q is neither true nor false", text)
}

func parseInt(low, high int) parser {
	return func(text string) (any, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < low || n > high {
			return nil, fmt.Errorf("%q is not a whole number from %d to %d", text, low, high)
		}
		return n, nil
	}
}

// minLease leaves time for three heartbeats on a database that is busy.
const minLease = 2 * time.Second

func parseLease(text string) (any, error) {
	d, err := parseDuration(text)
	if lease, ok := d.(time.Duration); ok && lease < minLease {
		return nil, fmt.Errorf("%s is shorter than %s", text, minLease)
	}
	return d, err
}

// KeepForever is a duration that was written as off.
const KeepForever time.Duration = -1

func parseDurationOrOff(text string) (any, error) {
	if strings.EqualFold(text, off) {
		return KeepForever, nil
	}
	value, err := parseDuration(text)
	if err != nil {
		return nil, fmt.Errorf("%w (off is allowed here, too)", err)
	}
	return value, nil
}

// parseDuration takes Go's notation and whole days, in which operators think of retention.
func parseDuration(text string) (any, error) {
	if days, found := strings.CutSuffix(text, "d"); found {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n <= 36500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is not a duration; write it like 30s, 5m, 12h or 30d", text)
	case d <= 0:
		return nil, fmt.Errorf("%q is not longer than zero; write it like 30s, 5m, 12h or 30d", text)
	}
	return d, nil
}

// parseShare takes a share of the whole as a percentage or a fraction. A bare number above 1 is refused: it may be either.
func parseShare(text string) (any, error) {
	if strings.EqualFold(text, off) {
		return 1.0, nil
	}
	number := text
	if percent, found := strings.CutSuffix(text, "%"); found {
		number = strings.TrimSpace(percent) + "e-2" // exact, which a division is not
	}
	share, err := strconv.ParseFloat(number, 64)
	if positive := share > 0; err != nil || !positive || share > 1 { // NaN is not positive, either
		return nil, fmt.Errorf("%q is not a share above 0 and up to 100%%; write it like 10%% or 0.1, or off for no limit", text)
	}
	return share, nil
}

func parseSize(text string) (any, error) {
	n, err := humanize.ParseBytes(text)
	if err != nil || n == 0 || n > math.MaxInt64/2 {
		return nil, fmt.Errorf("%q is not a size; write it like 256MiB or 1GiB", text)
	}
	return int64(n), nil
}

func parseOneOf(words ...string) parser {
	return func(text string) (any, error) {
		if word := strings.ToLower(text); slices.Contains(words, word) {
			return word, nil
		}
		return nil, fmt.Errorf("%q is not one of %s", text, strings.Join(words, ", "))
	}
}

// parseListen checks HOST:PORT; an empty value is meant, no listener.
func parseListen(text string) (any, error) {
	if text == "" {
		return "", nil
	}
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return nil, fmt.Errorf("%q is not an address; write it like 127.0.0.1:9150 or [::1]:9150, or \"\" for no listener", text)
	}
	return text, nil
}

// parseDatabaseURL never shows the value: it may hold a password.
func parseDatabaseURL(text string) (any, error) {
	const want = "write sqlite:PATH, or postgres://USER@HOST/DATABASE?sslmode=verify-full"
	if path, found := strings.CutPrefix(text, "sqlite:"); found {
		if path == "" {
			return nil, errors.New("the SQLite database has no path; " + want)
		}
		if err := dburl.Check(text); err != nil {
			return nil, fmt.Errorf("%w; %s", err, want)
		}
		return parseText(text)
	}
	// How it begins may itself be part of a password: only a word that no password would be is repeated.
	if scheme, _, found := strings.Cut(text, "://"); found && slices.Contains([]string{"mysql", "mariadb", "sqlite", "file", "http", "https"}, scheme) {
		return nil, fmt.Errorf("the database %q is unknown; %s", scheme, want)
	}
	err := dburl.Check(text)
	switch {
	case errors.Is(err, dburl.ErrMalformed):
		return nil, errors.New("the value is not an address (a password must be percent-encoded); " + want)
	case err != nil:
		return nil, fmt.Errorf("%w; %s", err, want)
	}
	return text, nil
}

// parseRAPI checks the addresses of a RAPI as its client will. Credentials in them are refused unseen.
func parseRAPI(text string) (any, error) {
	if _, err := (ganeti.Settings{URL: text}).Addresses(); err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "rapi: "))
	}
	return text, nil
}

// CheckName says whether something may be the name of a cluster.
func CheckName(name string) error {
	_, err := parseName(name)
	return err
}

// parseName keeps names to what is safe in a shell, an address, a metric's label and a file name.
func parseName(text string) (any, error) {
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`).MatchString(text) {
		return nil, fmt.Errorf("%q is no name for a cluster; use up to 63 letters, digits, '.', '_' and '-', beginning with a letter or digit", text)
	}
	return text, nil
}

// parseTagPattern takes a regular expression that says who owns a tag.
func parseTagPattern(text string) (any, error) {
	re, err := regexp.Compile(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is not a regular expression (%w)", text, err)
	case re.NumSubexp() == 0:
		return nil, fmt.Errorf("%q has no group that says who is meant; write it like owner:(.+)", text)
	}
	return text, nil
}

func parsePin(text string) (any, error) {
	if _, err := ganeti.ParsePin(text); err != nil {
		return nil, err
	}
	return text, nil
}

func parseVariable(text string) (any, error) {
	if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(text) {
		return nil, errors.New("the value is not the name of an environment variable (this key takes the name, never the password itself)")
	}
	return text, nil
}
