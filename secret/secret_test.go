package secret_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"ganeticache/secret"
)

const password = "kaninchen-7f3a9c"

func newKey(tb testing.TB, fill byte) *secret.Key {
	tb.Helper()
	k, err := secret.NewKey(bytes.Repeat([]byte{fill}, 32))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// seal seals for the cluster with id 7.
func seal(tb testing.TB, k *secret.Key, password string) string {
	tb.Helper()
	sealed, err := k.Seal(7, []byte(password))
	if err != nil {
		tb.Fatal(err)
	}
	return sealed
}

func TestKey_RoundTrip(t *testing.T) {
	t.Parallel()
	k := newKey(t, 1)
	for _, want := range []string{password, "", "ünï\x00code\n", strings.Repeat("x", 64<<10)} {
		sealed := seal(t, k, want)
		if got, err := k.Open(7, sealed); err != nil || string(got) != want {
			t.Errorf("opened %.20q, %v; want %.20q", got, err, want)
		}
		if want != "" && strings.Contains(sealed, want) {
			t.Errorf("%.20q is in the sealed text", want)
		}
	}
	if first, again := seal(t, k, password), seal(t, k, password); first == again {
		t.Error("the same password sealed twice looks alike")
	}
}

func TestKey_WrongKey(t *testing.T) {
	t.Parallel()
	k, other := newKey(t, 1), newKey(t, 2)
	_, err := other.Open(7, seal(t, k, password))
	if !errors.Is(err, secret.ErrWrongKey) {
		t.Fatalf("got %v, want ErrWrongKey", err)
	}
	for _, id := range []string{k.ID(), other.ID()} {
		if !strings.Contains(err.Error(), id) {
			t.Errorf("%q does not name key %s", err, id)
		}
	}
}

// Whoever can write to the database must not be able to hand one cluster's password to the address of another.
func TestKey_BoundToCluster(t *testing.T) {
	t.Parallel()
	k := newKey(t, 1)
	if got, err := k.Open(8, seal(t, k, password)); !errors.Is(err, secret.ErrDamaged) || got != nil {
		t.Errorf("got %q, %v; want ErrDamaged", got, err)
	}
}

func TestKey_Damaged(t *testing.T) {
	t.Parallel()
	k := newKey(t, 1)
	sealed := seal(t, k, password)
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		broken := bytes.Clone(raw)
		broken[i] ^= 0x40
		if got, err := k.Open(7, base64.StdEncoding.EncodeToString(broken)); err == nil {
			t.Errorf("a changed byte %d opens to %q", i, got)
		}
	}
	for _, text := range []string{"", "x", "?!", sealed[:len(sealed)-4], sealed + "AAAA", sealed + "\n", strings.Repeat("A", 1<<20)} {
		if got, err := k.Open(7, text); err == nil {
			t.Errorf("%.20q opens to %q", text, got)
		}
	}
}

func TestNewKey_Short(t *testing.T) {
	t.Parallel()
	if _, err := secret.NewKey(make([]byte, 31)); err == nil {
		t.Error("a secret of 31 bytes was accepted")
	}
}

func TestKey_Prints(t *testing.T) {
	t.Parallel()
	k := newKey(t, 'K')
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, k); got != "key "+k.ID() {
			t.Errorf("%s prints %q", format, got)
		}
	}
}

// golden was sealed for the cluster "prod" with 32 times the byte 7: what is in a database must open for ever.
const golden = "AcTqUW749Klwlcn8La9jEQlcsXABAtGW+xk6xbz73/gDXagVQu7yF8d3r7+DZOFAaK3ym+0="

func TestKey_OpensWhatEarlierVersionsSealed(t *testing.T) {
	t.Parallel()
	if got, err := newKey(t, 7).OpenPassword("prod", golden); err != nil || got != password {
		t.Errorf("got %q, %v", got, err)
	}
}

// The two formats never open as one another.
func TestKey_FormatsAreApart(t *testing.T) {
	t.Parallel()
	k := newKey(t, 7)
	alone, err := k.SealPassword("prod", password)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open(7, alone); !errors.Is(err, secret.ErrDamaged) || !secret.IsPassword(alone) {
		t.Errorf("a password alone opens as settings: %v", err)
	}
	settings := seal(t, k, password)
	if _, err := k.OpenPassword("prod", settings); !errors.Is(err, secret.ErrDamaged) || secret.IsPassword(settings) {
		t.Errorf("settings open as a password alone: %v", err)
	}
}

func FuzzKey_Open(f *testing.F) {
	k := newKey(f, 7)
	f.Add("prod", golden)
	f.Add("prod", "")
	f.Fuzz(func(t *testing.T, cluster, text string) {
		if got, err := k.OpenPassword(cluster, text); err == nil && (cluster != "prod" || text != golden || got != password) {
			t.Errorf("opened %q for %q", text, cluster)
		}
	})
}
