package updater_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ganeticache/db"
	"ganeticache/ganeti"
)

// Flaws that an object's JSON can have: a name that is no text, or not even a uuid that can be read.
const (
	brokenFlaw  = "broken"
	keylessFlaw = "keyless"
)

// thing is one object of the simulated cluster. Status is what the tests compare of its content; of a VM it is the status
// and the primary node.
type thing struct {
	UUID, Name, Status, Flaw string
	// Spaced makes other bytes that mean the same.
	Spaced bool
}

func (o thing) json(k db.Kind) string {
	name, uuid := fmt.Sprintf("%q", o.Name), fmt.Sprintf("%q", o.UUID)
	switch o.Flaw {
	case brokenFlaw:
		name = "7"
	case keylessFlaw:
		name, uuid = "8", "null"
	}
	var fields []string
	switch k {
	case db.KindVM:
		status, place, _ := strings.Cut(o.Status, " ")
		fields = []string{`"uuid": ` + uuid, `"name": ` + name, fmt.Sprintf(`"status": %q, "pnode": %q`, status, place)}
	case db.KindNode:
		fields = []string{`"uuid": ` + uuid, `"name": ` + name, fmt.Sprintf(`"role": %q`, o.Status)}
	default:
		fields = []string{`"id": ` + o.UUID, `"summary": [` + name + `]`, fmt.Sprintf(`"status": %q`, o.Status)}
	}
	// Two objects that cannot be read are told apart all the same.
	fields = append(fields, fmt.Sprintf(`"note": %q`, o.UUID))
	if o.Spaced {
		return "{ " + strings.Join(fields, " , ") + " }"
	}
	return "{" + strings.Join(fields, ", ") + "}"
}

// wire sends bodies over real TLS, so that the engine compares real answers; only their content is the test's.
type wire struct {
	client *ganeti.Client
	// address is in the answers that do not come over the wire, too.
	address ganeti.Address
	body    atomic.Pointer[string]
	// cut sends less than the body and closes the connection.
	cut atomic.Bool
	// status, when not 0, is sent instead.
	status atomic.Int64
}

func newWire(t *testing.T) *wire {
	t.Helper()
	w := &wire{}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if status := w.status.Load(); status != 0 {
			rw.WriteHeader(int(status))
			return
		}
		body := *w.body.Load()
		rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
		if w.cut.Load() {
			body = body[:len(body)/2]
		}
		if _, err := rw.Write([]byte(body)); err != nil {
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(srv.Close)
	pin := sha256.Sum256(srv.Certificate().Raw)
	settings := ganeti.Settings{
		URL: srv.URL, Username: "gwm", Password: password, TLS: ganeti.TLS{PinSHA256: hex.EncodeToString(pin[:])},
	}
	client, err := ganeti.New(settings)
	must(t, err)
	addresses, err := settings.Addresses()
	must(t, err)
	w.client, w.address = client, addresses[0]
	return w
}

// bulk fetches the body with the given trouble: "", "cut", or an HTTP status.
func (w *wire) bulk(ctx context.Context, r ganeti.Resource, known *ganeti.Index, body, trouble string) (*ganeti.Delta, error) {
	w.body.Store(&body)
	w.cut.Store(trouble == "cut")
	w.status.Store(map[string]int64{"403": 403, "500": 500, "502": 502}[trouble])
	return w.client.Bulk(ctx, r, known)
}

// world is the simulated cluster, its clock, and what it has said so far.
type world struct {
	wire *wire
	name string
	now  time.Time
	// foreign makes another cluster answer at the address.
	foreign bool
	objects map[db.Kind]map[string]thing
	removed map[db.Kind]map[string]thing
	made    int
	// lists are the complete answers by kind and time, items those about one object, absences the 404s by uuid.
	lists    map[db.Kind]map[time.Time][]thing
	items    map[time.Time]thing
	absences map[string]time.Time
	// calls counts down to the call of which trouble comes, and to the one during which meanwhile happens.
	trouble      string
	troubleIn    int
	meanwhile    func()
	meanwhileIn  int
	lastAnswered map[db.Kind]time.Time
}

func newWorld(w *wire, name string, now time.Time) *world {
	x := &world{wire: w, name: name, now: now, objects: map[db.Kind]map[string]thing{}, removed: map[db.Kind]map[string]thing{}}
	x.lists, x.items, x.absences = map[db.Kind]map[time.Time][]thing{}, map[time.Time]thing{}, map[string]time.Time{}
	x.lastAnswered = map[db.Kind]time.Time{}
	for _, k := range append(modelKinds(), db.KindCluster) {
		x.objects[k], x.removed[k], x.lists[k] = map[string]thing{}, map[string]thing{}, map[time.Time][]thing{}
	}
	return x
}

// tick moves on to the time of the next ticket, and of the request that follows it: no two are the same.
func (x *world) tick() { x.now = x.now.Add(time.Second) }

func (x *world) list(k db.Kind) []thing {
	var all []thing
	for _, o := range x.objects[k] {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b thing) int { return strings.Compare(a.Name+a.UUID, b.Name+b.UUID) })
	return all
}

// failing says what is wrong with this call.
func (x *world) failing() string {
	x.troubleIn--
	if x.troubleIn != 0 {
		return ""
	}
	return x.trouble
}

// answered lets happen what happens between an answer and its use.
func (x *world) answered() {
	x.meanwhileIn--
	if x.meanwhileIn == 0 {
		x.meanwhile()
	}
}

// Info implements updater.Source.
func (x *world) Info(context.Context) (ganeti.Answer, error) {
	at := x.now
	if trouble := x.failing(); trouble != "" {
		return ganeti.Answer{}, &ganeti.TimeoutError{Phase: "first_byte", After: time.Second}
	}
	uuid := "the cluster " + x.name
	if x.foreign {
		uuid = "another cluster than " + x.name
	} else {
		x.lists[db.KindCluster][at], x.lastAnswered[db.KindCluster] = nil, at
	}
	x.answered()
	return ganeti.Answer{Address: x.wire.address, StartedAt: at, Body: fmt.Appendf(nil, `{"uuid": %q, "name": "model.example"}`, uuid)}, nil
}

// Bulk implements updater.Source.
func (x *world) Bulk(ctx context.Context, r ganeti.Resource, known *ganeti.Index) (*ganeti.Delta, error) {
	k := map[ganeti.Resource]db.Kind{ganeti.Instances: db.KindVM, ganeti.Nodes: db.KindNode, ganeti.Jobs: db.KindJob}[r]
	at, said := x.now, x.list(k)
	if x.foreign {
		said = nil
	}
	parts := make([]string, len(said))
	for i, o := range said {
		parts[i] = o.json(k)
	}
	trouble := x.failing()
	if trouble == "timeout" {
		return nil, &ganeti.TimeoutError{Phase: "first_byte", After: time.Second}
	}
	delta, err := x.wire.bulk(ctx, r, known, "["+strings.Join(parts, ", ")+"]\n", trouble)
	if err != nil {
		return nil, err
	}
	delta.StartedAt = at
	if !x.foreign && trouble == "" {
		x.lists[k][at], x.lastAnswered[k] = said, at
	}
	x.answered()
	return delta, nil
}

// Item implements updater.Source.
func (x *world) Item(_ context.Context, _ ganeti.Resource, name string) (ganeti.Answer, error) {
	at := x.now
	if x.failing() != "" {
		return ganeti.Answer{}, &ganeti.TimeoutError{Phase: "first_byte", After: time.Second}
	}
	said, found := x.find(name)
	if x.foreign {
		said, found = thing{UUID: "of another cluster", Name: name, Status: "running n1"}, true
	}
	if !found {
		x.absences[name] = at
		x.answered()
		return ganeti.Answer{}, &ganeti.StatusError{Address: x.wire.address, Method: "GET", Path: name, Status: http.StatusNotFound}
	}
	if !x.foreign {
		x.items[at] = said
	}
	x.answered()
	return ganeti.Answer{Address: x.wire.address, StartedAt: at, Body: []byte(said.json(db.KindVM))}, nil
}

// find looks for a VM by name or uuid.
func (x *world) find(ref string) (thing, bool) {
	for _, o := range x.objects[db.KindVM] {
		if o.Name == ref || o.UUID == ref {
			return o, true
		}
	}
	return thing{}, false
}
