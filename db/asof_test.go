package db_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// anyJSON draws a value that nests.
func anyJSON(depth int) *rapid.Generator[any] {
	plain := rapid.SampledFrom([]any{nil, true, false, 0, 1, 128, 1.5, "", "a", "ü/~\"", "1"})
	if depth == 0 {
		return plain
	}
	return rapid.OneOf(plain,
		rapid.Custom(func(t *rapid.T) any { return rapid.SliceOfN(anyJSON(depth-1), 0, 4).Draw(t, "list") }),
		rapid.Custom(func(t *rapid.T) any {
			return rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "a/b", "~", "", "0"}), anyJSON(depth-1), 0, 4).Draw(t, "object")
		}))
}

// vmAsSent draws a VM whose info has what its columns have, or something else.
func vmAsSent(uuid string) *rapid.Generator[db.Item] {
	return rapid.Custom(func(t *rapid.T) db.Item {
		v := &db.VM{
			Object: db.Object{UUID: uuid, Name: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")},
			Status: rapid.SampledFrom([]string{"running", "ADMIN_down"}).Draw(t, "status"),
			Tags:   rapid.SampledFrom([]db.List{{}, {"x"}, {"x", "y"}}).Draw(t, "tags"),
			VCPUs:  rapid.SampledFrom([]*int64{nil, new(int64(1)), new(int64(2))}).Draw(t, "vcpus"),
		}
		info := map[string]any{"uuid": uuid, "name": v.Name, "status": v.Status, "tags": v.Tags, "beparams": map[string]any{"vcpus": v.VCPUs}}
		if micros := rapid.SampledFrom([]int64{0, 1_700_000_000_000_000, 1_700_000_000_123_456, 1_700_000_000_500_000}).Draw(t, "mtime"); micros > 0 {
			v.MTime = new(time.UnixMicro(micros).UTC())
			info["mtime"] = json.Number(fmt.Sprintf("%d.%06d", micros/1e6, micros%1e6))
		}
		if rapid.Bool().Draw(t, "oddly spelled") {
			info["status"] = rapid.SampledFrom([]any{nil, true, "other"}).Draw(t, "as sent")
		}
		for _, key := range []string{"disks", "beparams", "a/b~", "extra"} {
			if rapid.Bool().Draw(t, key) {
				info[key] = anyJSON(3).Draw(t, "value")
			}
		}
		raw, err := json.Marshal(info)
		if err != nil {
			t.Fatal(err)
		}
		v.Info = raw
		sum := sha256.Sum256(raw)
		return db.Item{Key: uuid, Name: v.Name, Digest: [16]byte(sum[:16]), Raw: raw, Row: v}
	})
}

// past is a copy of the table as it was at a time.
type past struct {
	at   time.Time
	rows map[int64]db.Past
}

// historian plays a random history and keeps copies.
type historian struct {
	s      *db.Store
	id     int64
	now    time.Time
	copies []past
}

var uuids = []string{"u1", "u2", "u3", "u4"}

func (h *historian) step(t *rapid.T) {
	h.now = h.now.Add(time.Second)
	ticket, err := h.s.Ticket(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	switch rapid.SampledFrom([]string{"answer", "answer", "answer", "one", "gone", "purge"}).Draw(t, "step") {
	case "answer":
		err = h.answer(t, ticket.Number)
	case "one":
		item := vmAsSent(rapid.SampledFrom(uuids).Draw(t, "uuid")).Draw(t, "item")
		_, err = h.s.Observe(t.Context(), db.Observation{ClusterID: h.id, Kind: db.KindVM, StartedAt: h.now, Ticket: ticket.Number, Item: item})
	case "gone":
		uuid := rapid.SampledFrom(uuids).Draw(t, "uuid")
		_, err = h.s.Observe(t.Context(), db.Observation{ClusterID: h.id, Kind: db.KindVM, StartedAt: h.now, Ticket: ticket.Number, Gone: uuid})
	case "purge":
		_, err = h.s.Purge(t.Context(), h.now.Add(-time.Duration(rapid.IntRange(0, 3).Draw(t, "age"))*time.Second))
	}
	if err != nil {
		t.Fatal(err)
	}
	h.copy(t)
}

func (h *historian) answer(t *rapid.T, ticket int64) error {
	record, err := h.s.Fingerprints(t.Context(), h.id, db.KindVM)
	if err != nil {
		return err
	}
	var items []db.Item
	for _, uuid := range uuids {
		switch rapid.SampledFrom([]string{"there", "there", "there", "not there", "broken", "keyless"}).Draw(t, uuid) {
		case "there":
			items = append(items, vmAsSent(uuid).Draw(t, "item"))
		case "broken":
			items = append(items, db.Item{Key: uuid, Raw: []byte("1"), Digest: [16]byte{1, uuid[1]}, Reason: "broken"})
		case "keyless":
			if rapid.IntRange(0, 3).Draw(t, "really") == 0 {
				items = append(items, db.Item{Raw: []byte("2"), Digest: [16]byte{2, uuid[1]}, Reason: "no uuid"})
			}
		}
	}
	var missing []string
	for _, p := range record.Items {
		if !slices.Contains(missing, p.Key) {
			missing = append(missing, p.Key)
		}
	}
	_, err = h.s.Apply(t.Context(), db.Snapshot{
		ClusterID: h.id, Kind: db.KindVM, StartedAt: h.now, Ticket: ticket, Generation: record.Generation,
		Changed: slices.Values(items), Missing: missing,
	})
	return err
}

// copy keeps the table as it is now; now is what the newest entry says.
func (h *historian) copy(t *rapid.T) {
	rows, err := h.s.Whole(t.Context(), h.id, db.KindVM)
	if err != nil {
		t.Fatal(err)
	}
	var at time.Time
	if err := h.s.DB().GetContext(t.Context(), &at, "SELECT recorded_at FROM change_log"); err != nil {
		t.Fatal(err)
	}
	// Both are of the moment at which the database was made, and the history may begin a little later.
	from, err := h.s.CompleteFrom(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if from.After(at) {
		at = from
	}
	h.copies = append(h.copies, past{at, rows})
}

// TestAsOf_UndoneIsThePast undoes random histories and compares with copies of the table that were taken then.
func TestAsOf_UndoneIsThePast(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		clusters := 0
		rapid.Check(t, func(t *rapid.T) {
			clusters++
			synced, err := s.SyncClusters(t.Context(), []db.ClusterSettings{{Name: fmt.Sprint("c", clusters), RAPIPort: 5080}})
			if err != nil {
				t.Fatal(err)
			}
			h := &historian{s: s, id: synced[0].ID, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			h.copy(t)
			for range rapid.IntRange(1, 6).Draw(t, "steps") {
				h.step(t)
			}
			for i, c := range h.copies {
				got, err := s.AsOf(t.Context(), h.id, db.KindVM, c.at)
				if err != nil {
					t.Fatal(err)
				}
				want, is := must2(json.Marshal(c.rows))(t), must2(json.Marshal(got))(t)
				if !db.SameMeaning(want, is) {
					t.Fatalf("after step %d:\nwas\n%s\nundone\n%s", i, want, is)
				}
			}
		})
		if _, err := s.AsOf(t.Context(), 1, db.KindVM, time.Unix(0, 0)); !errors.Is(err, db.ErrBeforeHistory) {
			t.Errorf("of before the database was made: %v", err)
		}
	})
}

func must2[T any](v T, err error) func(*rapid.T) T {
	return func(t *rapid.T) T {
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
