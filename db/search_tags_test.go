package db_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// oddTags are lists of tags around what an index takes: words of 2,047 bytes, and a megabyte of them.
func oddTags() []db.List {
	rng := rand.New(rand.NewPCG(1, 2))
	text := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[rng.IntN(36)]
		}
		return string(b)
	}
	many := func(n, size int) db.List {
		l := make(db.List, n)
		for i := range l {
			l[i] = "many:" + strconv.Itoa(i) + ":" + text(size)
		}
		return l
	}
	all := []db.List{
		{"short"},
		nil,
		{""},
		{"", "owner:empty"},
		{"\x01"},
		{"\x01long", "\x02"},
		{`o'b\c`},
		{strings.Repeat("x", 10_006)},
		{"owner:" + strings.Repeat("x", 10_000), "short"},
		many(2000, 1000), many(10_000, 90), many(5000, 4), slices.Repeat(db.List{"same:" + text(1000)}, 3000),
	}
	for _, n := range []int{2045, 2046, 2047, 2048, 2049, 2100} {
		all = append(all, db.List{"n" + strings.Repeat("y", n-1)}, db.List{strings.Repeat("z", n/2), strings.Repeat("w", n-n/2)},
			db.List{strings.Repeat("ü", n/2)}, db.List{strings.Repeat("☃", n/3), "snow"})
	}
	return all
}

// A tag of any length, and any number of them, is stored and found: whole, and by its beginning.
func TestSearchVMs_OddTags(t *testing.T) {
	t.Parallel()
	lists := oddTags()
	items := make([]db.Row, len(lists))
	for i, tags := range lists {
		items[i] = searched(i+1, fmt.Sprintf("vm%d.example.org", i+1), func(v *db.VM) { v.Tags = slices.Clone(tags) })
	}
	prefixes := []string{
		"owner:", "short", "\x01", "\x01l", "\x02", "x", "sn", "n", "ny", "o'", "many:", "many:7:", "many:1999:", "many:9999:", "same:", "none",
		strings.Repeat("x", 2046), strings.Repeat("x", 2045) + "y", strings.Repeat("z", 1022), strings.Repeat("ü", 1023), "n" + strings.Repeat("y", 2044),
		"n" + strings.Repeat("y", 2045), lists[9][1000], lists[10][9000][:40], lists[12][0],
	}
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		x := newSite(t, s)
		x.answer(x.alpha, db.KindVM, items...)
		for _, prefix := range prefixes {
			want := holders(lists, func(tag string) bool { return strings.HasPrefix(tag, prefix) })
			if got := x.found(db.VMFilter{TagPrefixes: []string{prefix}}); got != want {
				t.Errorf("prefix %.20q of %d bytes: found %q, want %q", prefix, len(prefix), got, want)
			}
		}
		for i, tags := range lists {
			for _, tag := range tags[:min(len(tags), 2)] {
				want := holders(lists, func(other string) bool { return other == tag })
				if got := x.found(db.VMFilter{Tags: []string{tag}}); tag != "" && got != want {
					t.Errorf("list %d, tag %.20q of %d bytes: found %q, want %q", i, tag, len(tag), got, want)
				}
			}
		}
	})
}

// holders are the numbers of the lists that have such a tag, as found prints them.
func holders(lists []db.List, is func(tag string) bool) string {
	var ids []string
	for i, tags := range lists {
		if slices.ContainsFunc(tags, is) {
			ids = append(ids, strconv.Itoa(i+1))
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}
