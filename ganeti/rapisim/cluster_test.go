package rapisim_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti/rapisim"
)

// everything returns all bulk answers of a server, one after the other.
func everything(tb testing.TB, s *rapisim.Server) string {
	tb.Helper()
	var b strings.Builder
	for _, path := range []string{"/2/info", "/2/instances?bulk=1", "/2/nodes?bulk=1", "/2/groups?bulk=1", "/2/networks?bulk=1", "/2/jobs?bulk=1"} {
		b.Write(get(tb, s, path))
	}
	return b.String()
}

func TestCluster_SameSeedSameAnswers(t *testing.T) {
	t.Parallel()
	o := rapisim.Options{Seed: 42, VMs: 150, KVMShare: 0.5, DRBDShare: 0.2, Jobs: 20}
	a, b := serve(t, o), serve(t, o)
	if diff := cmp.Diff(everything(t, a), everything(t, b)); diff != "" {
		t.Errorf("fresh (-a +b):\n%s", diff)
	}
	if diff := cmp.Diff(a.Cluster().Churn(300), b.Cluster().Churn(300)); diff != "" {
		t.Errorf("events (-a +b):\n%s", diff)
	}
	if diff := cmp.Diff(everything(t, a), everything(t, b)); diff != "" {
		t.Errorf("after 300 changes (-a +b):\n%s", diff)
	}
	o.Seed++
	if everything(t, serve(t, o)) == everything(t, serve(t, rapisim.Options{Seed: 42, VMs: 150})) {
		t.Error("another seed gives the same answers")
	}
}

// moved lists what a change did to an instance: name=value for each field of
// its JSON that differs, "" for mtime since its value does not matter, and
// serial_no as a difference.
func moved(tb testing.TB, before, after []byte) map[string]string {
	tb.Helper()
	var b, a map[string]json.RawMessage
	must(tb, json.Unmarshal(before, &b))
	must(tb, json.Unmarshal(after, &a))
	out := map[string]string{}
	for key := range a {
		if bytes.Equal(a[key], b[key]) {
			continue
		}
		out[key] = string(a[key])
		switch key {
		case "mtime":
			out[key] = ""
		case "serial_no":
			var x, y int
			must(tb, json.Unmarshal(b[key], &x))
			must(tb, json.Unmarshal(a[key], &y))
			out[key] = "+" + string(rune('0'+y-x))
		}
	}
	return out
}

// TestCluster_ChangeRules holds each change against what the same change did
// on a real cluster (recorded by hand, see the comment in change.go).
func TestCluster_ChangeRules(t *testing.T) {
	t.Parallel()
	s := serve(t, rapisim.Options{VMs: 40, KVMShare: 0.5})
	c := s.Cluster()
	v, err := c.Create("chg1.example")
	must(t, err)
	if v.SerialNo != 3 || v.Status != "running" {
		t.Errorf("created: serial_no %d, %s; want 3, running", v.SerialNo, v.Status)
	}
	name := v.Name
	elsewhere := c.Nodes()[slices.IndexFunc(c.Nodes(), func(n rapisim.Node) bool { return n.Name != v.PNode })].Name
	steps := []struct {
		name   string
		change func() error
		want   map[string]string
	}{
		{"tags", func() error { return c.Retag(name, "c", "a:b") }, map[string]string{"tags": `["a:b", "c"]`}},
		{"live migration", func() error { return c.Migrate(name, elsewhere) }, map[string]string{"pnode": `"` + elsewhere + `"`}},
		{"guest died", func() error { return c.SetRuntime(name, "ERROR_down") }, map[string]string{
			"oper_ram": "null", "oper_state": "false", "oper_vcpus": "null", "status": `"ERROR_down"`,
		}},
		{"guest back", func() error { return c.SetRuntime(name, "") }, nil},
		{"node down", func() error { return c.SetNodeDown(elsewhere, true) }, map[string]string{
			"oper_ram": "null", "oper_state": "null", "oper_vcpus": "null", "status": `"ERROR_nodedown"`,
		}},
		{"node up", func() error { return c.SetNodeDown(elsewhere, false) }, nil},
		{"node offline", func() error { return c.SetNodeOffline(elsewhere, true) }, map[string]string{
			"oper_ram": "null", "oper_state": "null", "oper_vcpus": "null", "status": `"ERROR_nodeoffline"`,
		}},
		{"node online", func() error { return c.SetNodeOffline(elsewhere, false) }, nil},
		{"shutdown", func() error { return c.Stop(name) }, map[string]string{
			"admin_state": `"down"`, "oper_ram": "null", "oper_state": "false", "oper_vcpus": "null",
			"status": `"ADMIN_down"`, "serial_no": "+2", "mtime": "",
		}},
		{"offline", func() error { return c.SetOffline(name, true) }, map[string]string{
			"admin_state": `"offline"`, "status": `"ADMIN_offline"`, "serial_no": "+2", "mtime": "",
		}},
		{"online", func() error { return c.SetOffline(name, false) }, map[string]string{
			"admin_state": `"down"`, "status": `"ADMIN_down"`, "serial_no": "+2", "mtime": "",
		}},
		{"rename", func() error { name = "chg2.example"; return c.Rename("chg1.example", name) }, map[string]string{
			"name": `"chg2.example"`, "serial_no": "+2", "mtime": "",
		}},
		{"startup", func() error { return c.Start(name) }, nil},
		{"rename while running", func() error { name = "chg3.example"; return c.Rename("chg2.example", name) }, map[string]string{
			"name": `"chg3.example"`, "serial_no": "+5", "mtime": "",
		}},
		{"start again", func() error { return c.Start(name) }, map[string]string{}},
	}
	for _, step := range steps {
		before := get(t, s, "/2/instances/"+v.UUID)
		must(t, step.change())
		got := moved(t, before, get(t, s, "/2/instances/"+v.UUID))
		switch step.name {
		case "tags":
			step.want["serial_no"], step.want["mtime"] = got["serial_no"], ""
		case "startup":
			if got["serial_no"] != "+1" || got["admin_state"] != `"up"` {
				t.Errorf("startup moved %v", got)
			}
		}
		if step.want != nil {
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.name, diff)
			}
		}
	}
}

func TestCluster_NodeSerials(t *testing.T) {
	t.Parallel()
	c := rapisim.NewCluster(rapisim.Options{})
	before := c.Nodes()[1]
	must(t, c.SetNodeDown(before.Name, true))
	if diff := cmp.Diff(before.SerialNo, c.Nodes()[1].SerialNo); diff != "" {
		t.Errorf("node down moved serial_no (-want +got):\n%s", diff)
	}
	must(t, c.SetNodeOffline(before.Name, true))
	got := c.Nodes()[1]
	if got.SerialNo != before.SerialNo+2 || got.MTime <= before.MTime || got.Role != "O" {
		t.Errorf("offline node is %+v, was %+v", got, before)
	}
	must(t, c.SetMaster("node3.example"))
	if c.Master() != "node3.example" || c.Nodes()[2].Role != "M" || c.Nodes()[0].Role != "C" {
		t.Errorf("after a failover: master %s, nodes %+v", c.Master(), c.Nodes())
	}
}

func TestCluster_RestoreIsTheSame(t *testing.T) {
	t.Parallel()
	s := serve(t, rapisim.Options{VMs: 30})
	c := s.Cluster()
	before, free := everything(t, s), c.Networks()[0].FreeCount
	all := c.Instances()
	name := all[slices.IndexFunc(all, func(v rapisim.Instance) bool {
		return len(v.NICs) > 0 && v.NICs[0].IP != "" && v.NICs[0].Network == "net1"
	})].Name
	must(t, c.Remove(name))
	if strings.Contains(everything(t, s), name) {
		t.Errorf("%s is still mentioned", name)
	}
	if got := c.Networks()[0].FreeCount; got != free+1 {
		t.Errorf("%d addresses are free, want %d", got, free+1)
	}
	must(t, c.Restore(name))
	if diff := cmp.Diff(before, everything(t, s)); diff != "" {
		t.Errorf("after removal and return (-want +got):\n%s", diff)
	}
}

func TestCluster_Refusals(t *testing.T) {
	t.Parallel()
	c := rapisim.NewCluster(rapisim.Options{VMs: 30, DRBDShare: 1})
	running := pickVM(t, c, "running", 0)
	stranger := slices.IndexFunc(c.Nodes(), func(n rapisim.Node) bool {
		return n.Name != running.PNode && !slices.Contains(running.SNodes, n.Name)
	})
	tests := []struct {
		name string
		err  error
		want error
	}{
		{"unknown instance", c.Start("nope"), rapisim.ErrNotFound},
		{"unknown node", c.Migrate(running.Name, "nope"), rapisim.ErrNotFound},
		{"migration to where it is", c.Migrate(running.Name, running.PNode), rapisim.ErrRefused},
		{"migration off its mirror", c.Migrate(running.Name, c.Nodes()[stranger].Name), rapisim.ErrRefused},
		{"offline while up", c.SetOffline(running.Name, true), rapisim.ErrRefused},
		{"taken name", c.Rename(running.Name, c.Instances()[5].Name), rapisim.ErrRefused},
		{"impossible status", c.SetRuntime(running.Name, "ERROR_up"), rapisim.ErrRefused},
		{"node in use", c.RemoveNode(running.PNode), rapisim.ErrRefused},
		{"group in use", c.RemoveGroup("default"), rapisim.ErrRefused},
		{"network in use", c.RemoveNetwork("net1"), rapisim.ErrRefused},
		{"never removed", c.Restore("nope"), rapisim.ErrNotFound},
		{"nothing to corrupt", c.Corrupt("nope", nil), rapisim.ErrNotFound},
	}
	for _, tt := range tests {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("%s: error is %v, want %v", tt.name, tt.err, tt.want)
		}
	}
}

func TestCluster_OtherKindsComeAndGo(t *testing.T) {
	t.Parallel()
	s := serve(t, rapisim.Options{})
	c := s.Cluster()
	before := everything(t, s)
	must(t, c.AddGroup("rack9"))
	must(t, c.AddNode("node10.example", "rack9"))
	must(t, c.AddNetwork("net10"))
	var names []string
	for _, path := range []string{"/2/nodes", "/2/groups", "/2/networks"} {
		var items []map[string]string
		must(t, json.Unmarshal(get(t, s, path), &items))
		for _, item := range items {
			names = append(names, item["id"]+item["name"])
		}
	}
	want := []string{
		"node1.example", "node2.example", "node3.example", "node4.example", "node10.example",
		"default", "rack2", "rack9", "net1", "net2", "net10",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	must(t, c.RemoveNode("node10.example"))
	must(t, c.RemoveNetwork("net10"))
	must(t, c.RenameGroup("rack9", "rack8"))
	must(t, c.RemoveGroup("rack8"))
	if diff := cmp.Diff(before, everything(t, s)); diff != "" {
		t.Errorf("after all left again (-want +got):\n%s", diff)
	}
}

func TestCluster_Corrupt(t *testing.T) {
	t.Parallel()
	s := serve(t, rapisim.Options{VMs: 3})
	c := s.Cluster()
	whole := get(t, s, "/2/instances?bulk=1")
	name := c.Instances()[1].Name
	uuid := c.Instances()[1].UUID
	tests := []struct {
		name        string
		edit        rapisim.Edit
		gone, there string
	}{
		{"number for a name", rapisim.SetField("name", "42"), `"name": "` + name, `[{"name": 42, "admin_state"`},
		{"no uuid", rapisim.DropField("uuid"), uuid, `"serial_no"`},
		{"no last key", rapisim.DropField("tags"), `"tags"`, `"serial_no"`},
		{"new key", rapisim.SetField("new", `{"a": 1}`), "", `], "new": {"a": 1}}`},
		{"left out", rapisim.Omit(), name, "inst0003"},
	}
	for _, tt := range tests {
		must(t, c.Corrupt(name, tt.edit))
		got := get(t, s, "/2/instances?bulk=1")
		var items []map[string]any
		must(t, json.Unmarshal(got, &items))
		i := min(1, len(items)-1)
		item, err := json.Marshal(items[i])
		must(t, err)
		if len(items) == 3 && tt.gone != "" && bytes.Contains(item, []byte(strings.ReplaceAll(tt.gone, `": "`, `":"`))) {
			t.Errorf("%s: %s is still there", tt.name, tt.gone)
		}
		if !bytes.Contains(append([]byte("["), got[bytes.Index(got, []byte("}, {"))+3:]...), []byte(tt.there)) {
			t.Errorf("%s: no %s in %s", tt.name, tt.there, got)
		}
		if len(items) == 2 != (tt.name == "left out") {
			t.Errorf("%s: %d items", tt.name, len(items))
		}
	}
	must(t, c.Corrupt(name, nil))
	if diff := cmp.Diff(whole, get(t, s, "/2/instances?bulk=1")); diff != "" {
		t.Errorf("mended (-want +got):\n%s", diff)
	}
	for _, path := range []string{"node1.example", "default", "net1"} {
		must(t, c.Corrupt(path, rapisim.SetField("name", "[]")))
	}
	for _, path := range []string{"/2/nodes", "/2/groups", "/2/networks"} {
		if got := get(t, s, path+"?bulk=1"); !bytes.Contains(got, []byte(`"name": []`)) {
			t.Errorf("%s: not corrupted: %s", path, got)
		}
	}
}

// TestCluster_PythonJSON: text that is not ASCII is escaped as Python does.
func TestCluster_PythonJSON(t *testing.T) {
	t.Parallel()
	s := serve(t, rapisim.Options{VMs: 1})
	c := s.Cluster()
	tag := "é€😀\"\\\n\x7f\x01"
	must(t, c.Retag(c.Instances()[0].Name, tag))
	body := get(t, s, "/2/instances?bulk=1")
	if want := `["\u00e9\u20ac\ud83d\ude00\"\\\n\u007f\u0001"]`; !bytes.Contains(body, []byte(want)) {
		t.Errorf("no %s in %s", want, body)
	}
	var items []struct{ Tags []string }
	must(t, json.Unmarshal(body, &items))
	if diff := cmp.Diff([]string{tag}, items[0].Tags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
}
