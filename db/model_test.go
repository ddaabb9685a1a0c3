package db_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"ganeticache/db"
	"ganeticache/db/dbtest"
)

// modelVM is what the model knows of a VM: enough to say what a store must hold.
type modelVM struct {
	ID      int64  `db:"id"`
	UUID    string `db:"uuid"`
	Name    string `db:"name"`
	Status  string `db:"status"`
	Deleted bool   `db:"deleted"`
}

// sent is an object of an answer; a broken one cannot be stored, one without uuid cannot even be told apart.
type sent struct {
	uuid, name, status string
	broken             bool
}

func (o sent) item() db.Item {
	raw := fmt.Sprintf(`{"uuid": %q, "name": %q, "status": %q, "broken": %v}`, o.uuid, o.name, o.status, o.broken)
	sum := sha256.Sum256([]byte(raw))
	item := db.Item{Key: o.uuid, Name: o.name, Digest: [16]byte(sum[:16]), Raw: []byte(raw), Reason: "broken"}
	if !o.broken {
		item.Row = &db.VM{Object: db.Object{UUID: o.uuid, Name: o.name, Info: item.Raw}, Status: o.status}
	}
	return item
}

// answers draws what a cluster may send next.
func answers() *rapid.Generator[[]sent] {
	object := rapid.Custom(func(t *rapid.T) sent {
		o := sent{
			uuid:   rapid.SampledFrom([]string{"u1", "u2", "u3", "u4", "u5", "u6"}).Draw(t, "uuid"),
			name:   rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "name"),
			status: rapid.SampledFrom([]string{"running", "ADMIN_down"}).Draw(t, "status"),
			broken: rapid.IntRange(0, 7).Draw(t, "broken") == 0,
		}
		if o.broken && rapid.Bool().Draw(t, "keyless") {
			o.uuid = ""
		}
		return o
	})
	return rapid.SliceOfNDistinct(object, 0, 6, func(o sent) string { return o.uuid })
}

// TestApply_Model applies random answers and compares each result with a model of a few lines.
func TestApply_Model(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		clusters := 0
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		rapid.Check(t, func(t *rapid.T) {
			// Each case is a cluster of its own, the earlier ones stay beside it.
			clusters++
			settings := []db.ClusterSettings{{Name: fmt.Sprint("c", clusters), RAPIPort: 5080}}
			synced, err := s.SyncClusters(t.Context(), settings)
			if err != nil {
				t.Fatal(err)
			}
			m := &model{id: synced[0].ID, vms: make(map[string]*modelVM)}
			for range rapid.IntRange(1, 8).Draw(t, "answers") {
				now = now.Add(time.Second)
				m.step(t, s, now, answers().Draw(t, "answer"))
			}
		})
	})
}

// model is the record as it should be.
type model struct {
	id         int64
	vms        map[string]*modelVM
	generation int64
}

func (m *model) step(t *rapid.T, s *db.Store, now time.Time, answer []sent) {
	want := m.expect(answer)
	out, err := s.Apply(t.Context(), m.compare(t, s, now, answer))
	if err != nil {
		t.Fatal(err)
	}
	m.generation = out.Generation
	got := []int{out.Created, out.Updated, out.Renamed, out.Removed, out.Restored}
	if !slices.Equal(want, got) {
		t.Errorf("created, updated, renamed, removed, restored: got %v, want %v", got, want)
	}
	var rows []modelVM
	query := s.DB().Rebind("SELECT id, uuid, name, status, deleted_at IS NOT NULL AS deleted FROM virtual_machines WHERE cluster_id = ? ORDER BY uuid")
	if err := s.DB().SelectContext(t.Context(), &rows, query, m.id); err != nil {
		t.Fatal(err)
	}
	wantRows := []modelVM{}
	for i := range rows {
		v, ok := m.vms[rows[i].UUID]
		if ok && v.ID == 0 {
			v.ID = rows[i].ID // new; from now on it must stay
		}
	}
	for _, v := range m.vms {
		wantRows = append(wantRows, *v)
	}
	slices.SortFunc(wantRows, func(a, b modelVM) int { return strings.Compare(a.UUID, b.UUID) })
	if diff := cmp.Diff(wantRows, append([]modelVM{}, rows...)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	again, err := s.Apply(t.Context(), m.compare(t, s, now, answer))
	if err != nil || again.RowsWritten != 0 {
		t.Errorf("the same answer again wrote %d rows, error %v", again.RowsWritten, err)
	}
	quarantined := 0
	for _, o := range answer {
		if o.broken {
			quarantined++
		}
	}
	var entries int
	if err := s.DB().GetContext(t.Context(), &entries, s.DB().Rebind("SELECT count(*) FROM quarantine WHERE cluster_id = ?"), m.id); err != nil {
		t.Fatal(err)
	}
	if entries != quarantined {
		t.Errorf("%d entries in quarantine, want %d", entries, quarantined)
	}
}

// expect moves the model on and returns the counts of created, updated, renamed, removed and restored.
func (m *model) expect(answer []sent) []int {
	counts := make([]int, 5)
	present := make(map[string]bool)
	certain := true
	for _, o := range answer {
		present[o.uuid] = true
		certain = certain && o.uuid != ""
		if o.broken {
			continue
		}
		v, ok := m.vms[o.uuid]
		switch {
		case !ok:
			v = &modelVM{UUID: o.uuid}
			m.vms[o.uuid] = v
			counts[0]++
		case v.Deleted:
			counts[4]++
		case v.Name != o.name:
			counts[2]++
		case v.Status != o.status:
			counts[1]++
		}
		v.Name, v.Status, v.Deleted = o.name, o.status, false
	}
	for uuid, v := range m.vms {
		if certain && !present[uuid] && !v.Deleted {
			v.Deleted = true
			counts[3]++
		}
	}
	return counts
}

// compare makes the snapshot of an answer, as the engine does.
func (m *model) compare(t *rapid.T, s *db.Store, now time.Time, answer []sent) db.Snapshot {
	record, err := s.Fingerprints(t.Context(), m.id, db.KindVM)
	if err != nil {
		t.Fatal(err)
	}
	if record.Generation != m.generation {
		t.Errorf("generation %d on record, want %d", record.Generation, m.generation)
	}
	keyOf, seen := make(map[[16]byte]string), make(map[string]bool)
	for _, p := range record.Items {
		keyOf[p.Digest] = p.Key
	}
	var changed []db.Item
	for _, o := range answer {
		item := o.item()
		if key, ok := keyOf[item.Digest]; ok {
			seen[key] = true
		} else {
			changed = append(changed, item)
		}
	}
	var missing []string
	for _, p := range record.Items {
		if !seen[p.Key] && !slices.Contains(missing, p.Key) {
			missing = append(missing, p.Key)
		}
	}
	return db.Snapshot{
		ClusterID: m.id, Kind: db.KindVM, StartedAt: now, Generation: record.Generation, Changed: slices.Values(changed), Missing: missing,
	}
}
