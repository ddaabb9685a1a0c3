package db_test

import (
	"errors"
	"strings"
	"testing"

	"ganeticache/db"
)

func TestParseRange(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		unit db.Unit
		want string
	}{
		{"4", db.Pieces, "4"},
		{"4..", db.Pieces, "4.."},
		{"..16", db.Pieces, "..16"},
		{" 4 .. 16 ", db.Pieces, "4..16"},
		{"512", db.MiB, "512"},
		{"4G", db.MiB, "4096"},
		{"4g..16GiB", db.MiB, "4096..16384"},
		{"1.5G", db.MiB, "1536"},
		{"1T..", db.MiB, "1048576.."},
		{"2048K", db.MiB, "2"},
		{"1K..1.5M", db.MiB, "1..1"},
		{"..4 GB", db.MiB, "..4096"},
		{"", db.MiB, "error"},
		{"..", db.MiB, "error"},
		{"4..2", db.Pieces, "error"},
		{"1K", db.MiB, "error"}, // less than one MiB: no size is exactly that
		{"4G", db.Pieces, "error"},
		{"1.5", db.Pieces, "error"},
		{"-1", db.Pieces, "error"},
		{"1e3", db.Pieces, "error"},
		{"0x10", db.Pieces, "error"},
		{"NaN", db.MiB, "error"},
		{"inf", db.MiB, "error"},
		{"1..2..3", db.Pieces, "error"},
		{"99999999999999999999", db.Pieces, "error"},
		{"9999999999T", db.MiB, "error"},
		{"4 Gs", db.MiB, "error"},
		{strings.Repeat("9", 1000), db.MiB, "error"},
	} {
		r, err := db.ParseRange(tt.text, tt.unit)
		got := r.String()
		if err != nil {
			got = "error"
			if !errors.Is(err, db.ErrBadFilter) || len(err.Error()) > 200 {
				t.Errorf("%.20q: %v", tt.text, err)
			}
		}
		if tt.want == "1..1" {
			tt.want = "1"
		}
		if got != tt.want {
			t.Errorf("%.20q is %s, want %s", tt.text, got, tt.want)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"4", "4G..16G", "..1.5T", "1K..", "..", "-1..e9", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, unit := range []db.Unit{db.Pieces, db.MiB} {
			r, err := db.ParseRange(text, unit)
			if err != nil {
				continue
			}
			if r.IsZero() || r.Min != nil && (*r.Min < 0 || r.Max != nil && *r.Min > *r.Max) {
				t.Fatalf("%q gives %s", text, r)
			}
			again, err := db.ParseRange(r.String(), unit)
			if err != nil || again.String() != r.String() {
				t.Fatalf("%q gives %s, and that %s, %v", text, r, again, err)
			}
		}
	})
}
