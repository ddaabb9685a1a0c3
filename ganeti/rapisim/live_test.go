package rapisim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti/rapisim"
)

// TestCluster_ChurnKeepsOrder makes many changes and checks after each few
// that what is sent is what is true, and that the truth is in order.
func TestCluster_ChurnKeepsOrder(t *testing.T) {
	t.Parallel()
	s := serve(t, rapisim.Options{Seed: 5, VMs: 400, KVMShare: 0.2, DRBDShare: 0.2})
	c := s.Cluster()
	serials := map[string]int{}
	seen := map[rapisim.Op]bool{}
	for range 20 {
		for _, e := range c.Churn(50) {
			seen[e.Op] = true
		}
		checkTruth(t, s)
		for _, v := range c.Instances() {
			if v.SerialNo < serials[v.UUID] {
				t.Errorf("serial_no of %s went from %d to %d", v.Name, serials[v.UUID], v.SerialNo)
			}
			serials[v.UUID] = v.SerialNo
		}
		if n := c.Len(); n < 350 || n > 450 {
			t.Errorf("%d instances, want about 400", n)
		}
	}
	if len(seen) != 8 {
		t.Errorf("only %v happened in 1,000 changes", seen)
	}
}

// checkTruth compares the bulk answer with Instances, and both with themselves.
func checkTruth(tb testing.TB, s *rapisim.Server) {
	tb.Helper()
	type item struct {
		Name, UUID, Status, PNode string
		Tags                      []string
		Serial                    int `json:"serial_no"`
	}
	var got, want []item
	must(tb, json.Unmarshal(get(tb, s, "/2/instances?bulk=1"), &got))
	names, uuids := map[string]bool{}, map[string]bool{}
	for _, v := range s.Cluster().Instances() {
		if v.Tags == nil {
			v.Tags = []string{}
		}
		want = append(want, item{v.Name, v.UUID, v.Status, v.PNode, v.Tags, v.SerialNo})
		names[v.Name], uuids[v.UUID] = true, true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Fatalf("bulk answer (-truth +sent):\n%s", diff)
	}
	if len(names) != len(want) || len(uuids) != len(want) {
		tb.Fatalf("%d instances have %d names and %d uuids", len(want), len(names), len(uuids))
	}
	// All names have the same form, so that their order is that of the text.
	if !slices.IsSortedFunc(want, func(a, b item) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) }) {
		tb.Fatal("the instances are out of order")
	}
}

// TestCluster_ChurnIsRendered: the patched answer equals that of a cluster
// whose pages were all rendered from nothing.
func TestCluster_ChurnIsRendered(t *testing.T) {
	t.Parallel()
	o := rapisim.Options{Seed: 9, VMs: 300, KVMShare: 0.3}
	patched, fresh := serve(t, o), serve(t, o)
	for range 50 {
		patched.Cluster().Churn(20)
		get(t, patched, "/2/instances?bulk=1")
	}
	fresh.Cluster().Churn(50 * 20)
	if diff := cmp.Diff(everything(t, fresh), everything(t, patched)); diff != "" {
		t.Errorf("answers (-fresh +patched):\n%s", diff)
	}
}

func TestCluster_ChurnKeepsSize(t *testing.T) {
	t.Parallel()
	c := rapisim.NewCluster(rapisim.Options{Seed: 2, VMs: 10})
	least, most := c.Len(), c.Len()
	for range 500 {
		c.Churn(1)
		least, most = min(least, c.Len()), max(most, c.Len())
	}
	if least != 8 || most != 12 {
		t.Errorf("between %d and %d instances, want 8 to 12", least, most)
	}
}

func TestCluster_Live(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []float64{0.5, 10, 333, 3000} {
			c := rapisim.NewCluster(rapisim.Options{Seed: 1, VMs: 50})
			twin := rapisim.NewCluster(rapisim.Options{Seed: 1, VMs: 50})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second+time.Millisecond)
			var events []rapisim.Event
			c.Live(ctx, rate, func(e rapisim.Event) { events = append(events, e) })
			cancel()
			if len(events) != int(2*rate) {
				t.Errorf("%d changes in 2 s at %v a second", len(events), rate)
			}
			if diff := cmp.Diff(twin.Churn(len(events)), events); diff != "" {
				t.Errorf("events (-churn +live):\n%s", diff)
			}
		}
	})
}
