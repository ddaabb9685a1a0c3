package rapisim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti/rapisim"
)

// shape is what a JSON value looks like: for each path the labels of the
// values seen there (int, [null|string], object …) and, for objects, the keys
// in their order.
type shape struct {
	labels map[string]map[string]bool
	keys   map[string]map[string]bool
}

func newShape() shape {
	return shape{map[string]map[string]bool{}, map[string]map[string]bool{}}
}

func note(m map[string]map[string]bool, path, what string) {
	if m[path] == nil {
		m[path] = map[string]bool{}
	}
	m[path][what] = true
}

// learn adds the value that dec reads next, and returns its label.
func (s shape) learn(tb testing.TB, dec *json.Decoder, path string) string {
	tb.Helper()
	token, err := dec.Token()
	if err != nil {
		tb.Fatalf("reading %s: %v", path, err)
	}
	label := ""
	switch v := token.(type) {
	case nil:
		label = "null"
	case bool:
		label = "bool"
	case string:
		label = "string"
	case json.Number:
		label = "int"
		if strings.ContainsAny(v.String(), ".eE") {
			label = "float"
		}
	case json.Delim:
		label = s.learnInside(tb, dec, path, v)
	}
	note(s.labels, path, label)
	return label
}

func (s shape) learnInside(tb testing.TB, dec *json.Decoder, path string, open json.Delim) string {
	tb.Helper()
	var keys, elements []string
	for dec.More() {
		if open == '[' {
			elements = append(elements, s.learn(tb, dec, path+"[]"))
			continue
		}
		key, err := dec.Token()
		if err != nil {
			tb.Fatalf("reading %s: %v", path, err)
		}
		keys = append(keys, key.(string))
		s.learn(tb, dec, strings.TrimPrefix(path+"."+key.(string), "."))
	}
	if _, err := dec.Token(); err != nil {
		tb.Fatalf("reading %s: %v", path, err)
	}
	if open == '{' {
		note(s.keys, path, strings.Join(keys, " "))
		return "object"
	}
	slices.Sort(elements)
	return "[" + strings.Join(slices.Compact(elements), "|") + "]"
}

func (s shape) learnBody(tb testing.TB, body []byte) {
	tb.Helper()
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	s.learn(tb, dec, "")
}

func sorted(m map[string]map[string]bool) map[string][]string {
	out := map[string][]string{}
	for path, set := range m {
		for v := range set {
			out[path] = append(out[path], v)
		}
		slices.Sort(out[path])
	}
	return out
}

// varied is a cluster in which everything occurs that the recordings show.
func varied(tb testing.TB) *rapisim.Server {
	tb.Helper()
	s := serve(tb, rapisim.Options{Seed: 7, VMs: 600, KVMShare: 0.4, Jobs: 60})
	c := s.Cluster()
	for i, status := range []string{"ERROR_down", "USER_down", "ERROR_wrongnode"} {
		must(tb, c.SetRuntime(pickVM(tb, c, "running", i).Name, status))
	}
	return s
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// pickVM returns the nth instance of that status, a KVM one when there is.
func pickVM(tb testing.TB, c *rapisim.Cluster, status string, n int) rapisim.Instance {
	tb.Helper()
	var found []rapisim.Instance
	for _, v := range c.Instances() {
		if v.Status == status {
			found = append(found, v)
		}
	}
	slices.SortStableFunc(found, func(a, b rapisim.Instance) int {
		switch {
		case a.KVM == b.KVM:
			return 0
		case a.KVM:
			return -1
		default:
			return 1
		}
	})
	if n >= len(found) {
		tb.Fatalf("%d instances are %s, want more than %d", len(found), status, n)
	}
	return found[n]
}

// TestInstances_Types compares with the types counted over 549 real instances.
func TestInstances_Types(t *testing.T) {
	t.Parallel()
	s := varied(t)
	must(t, s.Cluster().SetNodeDown("node3.example", true))
	got := newShape()
	got.learnBody(t, get(t, s, "/2/instances?bulk=1"))

	want := map[string][]string{}
	label := regexp.MustCompile(`'([^']+)': \d+`)
	for line := range strings.Lines(string(recorded(t, "types.txt"))) {
		path, rest, _ := strings.Cut(line, " ")
		rest, _, _ = strings.Cut(rest, "  e.g.")
		for _, m := range label.FindAllStringSubmatch(rest, -1) {
			want[path] = append(want[path], m[1])
		}
		slices.Sort(want[path])
	}
	gotTypes := map[string][]string{}
	for path, labels := range sorted(got.labels) {
		name, isField := strings.CutPrefix(path, "[].")
		if isField && !strings.Contains(name, "[]") {
			gotTypes[name] = labels
		}
	}
	if diff := cmp.Diff(want, gotTypes); diff != "" {
		t.Errorf("types of the fields (-want +got):\n%s", diff)
	}
}

// TestInstances_Keys compares the keys and their order, fake and KVM.
func TestInstances_Keys(t *testing.T) {
	t.Parallel()
	want := newShape()
	for _, name := range []string{"instances-bulk", "state-nodeoffline-bulk"} {
		want.learnBody(t, recorded(t, name+".body"))
	}
	for _, name := range []string{"instance", "instance-kvm", "state-user-down"} {
		want.learnBody(t, slices.Concat([]byte("["), recorded(t, name+".body"), []byte("]")))
	}
	got := newShape()
	got.learnBody(t, get(t, varied(t), "/2/instances?bulk=1"))
	for _, path := range []string{"[]", "[].beparams", "[].hvparams", "[].custom_nicparams[]"} {
		w, g := sorted(want.keys)[path], sorted(got.keys)[path]
		if path == "[].custom_nicparams[]" { // {"link"} alone: one instance made by hand
			w = slices.DeleteFunc(w, func(k string) bool { return k == "link" })
		}
		if diff := cmp.Diff(w, g); diff != "" {
			t.Errorf("keys at %s (-want +got):\n%s", path, diff)
		}
	}
}

// TestInstance_Statuses compares one instance of each status with a recorded
// one: what tells its state, and the types of all fields that are not lists.
func TestInstance_Statuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file, status string
		arrange            func(testing.TB, *rapisim.Cluster) rapisim.Instance
	}{
		{"running fake", "instance", "running", func(tb testing.TB, c *rapisim.Cluster) rapisim.Instance {
			tb.Helper()
			all := c.Instances()
			return all[slices.IndexFunc(all, func(v rapisim.Instance) bool { return !v.KVM && v.Status == "running" })]
		}},
		{"running KVM", "instance-kvm", "running", statusFor("running", "")},
		{"stopped by its admin", "", "ADMIN_down", statusFor("ADMIN_down", "")},
		{"offline", "state-admin-offline", "ADMIN_offline", statusFor("ADMIN_offline", "")},
		{"dead", "state-instance-error-down", "ERROR_down", statusFor("running", "ERROR_down")},
		{"shut down by its user", "state-user-down", "USER_down", statusFor("running", "USER_down")},
		{"node down", "state-nodedown-instance", "ERROR_nodedown", func(tb testing.TB, c *rapisim.Cluster) rapisim.Instance {
			tb.Helper()
			v := pickVM(tb, c, "running", 0)
			must(tb, c.SetNodeDown(v.PNode, true))
			return v
		}},
		{"node offline", "state-nodeoffline-bulk", "ERROR_nodeoffline", func(tb testing.TB, c *rapisim.Cluster) rapisim.Instance {
			tb.Helper()
			v := pickVM(tb, c, "running", 0)
			must(tb, c.SetNodeOffline(v.PNode, true))
			return v
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, rapisim.Options{Seed: 3, VMs: 200, KVMShare: 0.4})
			v := tt.arrange(t, s.Cluster())
			file := tt.file
			if file == "" {
				file = "instances-bulk"
			}
			want := stateOf(t, itemWith(t, recorded(t, file+".body"), tt.status))
			got := stateOf(t, get(t, s, "/2/instances/"+v.Name))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
		})
	}
}

func statusFor(now, then string) func(testing.TB, *rapisim.Cluster) rapisim.Instance {
	return func(tb testing.TB, c *rapisim.Cluster) rapisim.Instance {
		tb.Helper()
		v := pickVM(tb, c, now, 0)
		if then != "" {
			must(tb, c.SetRuntime(v.Name, then))
		}
		return v
	}
}

// itemWith returns the item itself, or the first of a list with that status.
func itemWith(tb testing.TB, body []byte, status string) []byte {
	tb.Helper()
	if body[0] != '[' {
		return body
	}
	var items []json.RawMessage
	must(tb, json.Unmarshal(body, &items))
	for _, item := range items {
		if bytes.Contains(item, []byte(`"status": "`+status+`"`)) {
			return item
		}
	}
	tb.Fatalf("no instance is %s", status)
	return nil
}

// stateOf tells the values that make a status, with numbers as "int" unless
// they are 0.
func stateOf(tb testing.TB, item []byte) map[string]string {
	tb.Helper()
	var v map[string]json.RawMessage
	must(tb, json.Unmarshal(item, &v))
	out := map[string]string{}
	for _, key := range []string{"status", "admin_state", "oper_state", "oper_ram", "oper_vcpus"} {
		out[key] = string(v[key])
		if n := out[key]; n != "" && n[0] > '0' && n[0] <= '9' {
			out[key] = "int"
		}
	}
	return out
}

// TestOthers_Shape compares keys, their order and all types of the other kinds.
func TestOthers_Shape(t *testing.T) {
	t.Parallel()
	down := func(c *rapisim.Cluster) error { return c.SetNodeDown("node2.example", true) }
	offline := func(c *rapisim.Cluster) error { return c.SetNodeOffline("node3.example", true) }
	none := func(*rapisim.Cluster) error { return nil }
	tests := []struct {
		path    string
		files   []string
		arrange []func(*rapisim.Cluster) error
	}{
		{"/2/info", []string{"info"}, nil},
		{"/2/nodes?bulk=1", []string{"nodes-bulk", "state-nodedown-nodes", "state-nodeoffline-nodes"}, []func(*rapisim.Cluster) error{none, down, offline}},
		{"/2/groups?bulk=1", []string{"groups-bulk"}, nil},
		{"/2/networks?bulk=1", []string{"networks-bulk"}, nil},
		{"/2/nodes", []string{"nodes"}, nil},
		{"/2/groups", []string{"groups"}, nil},
		{"/2/networks", []string{"networks"}, nil},
		{"/2/instances", []string{"instances"}, nil},
		{"/2/jobs", []string{"jobs"}, nil},
		{"/2/jobs/999999", []string{"job-404"}, nil},
		{"/2/nodes/node1.example", []string{"node"}, nil},
		{"/2/groups/rack2", []string{"group"}, nil},
		{"/2/networks/net1", []string{"network"}, nil},
		{"/2/tags", []string{"tags"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			s := serve(t, rapisim.Options{Seed: 7, VMs: 60, KVMShare: 0.4, Jobs: 60})
			want, got := newShape(), newShape()
			for _, file := range tt.files {
				want.learnBody(t, recorded(t, file+".body"))
			}
			for _, change := range append(tt.arrange, none) {
				must(t, change(s.Cluster()))
				got.learnBody(t, get(t, s, tt.path))
			}
			if diff := cmp.Diff(sorted(want.keys), sorted(got.keys)); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(sorted(want.labels), sorted(got.labels)); diff != "" {
				t.Errorf("types (-want +got):\n%s", diff)
			}
		})
	}
}

// TestJobs_Shape compares the fields of jobs and, for the operations that were
// recorded, the parameters that every such operation has.
func TestJobs_Shape(t *testing.T) {
	t.Parallel()
	s := varied(t)
	want, got := jobShape(t, recorded(t, "jobs-bulk.body")), jobShape(t, get(t, s, "/2/jobs?bulk=1"))
	for _, op := range []string{"", "OP_INSTANCE_STARTUP"} {
		if diff := cmp.Diff(want[op], got[op]); diff != "" {
			t.Errorf("fields of jobs %s (-want +got):\n%s", op, diff)
		}
	}
	var id int
	if _, err := fmt.Sscanf(string(get(t, s, "/2/jobs")), `[{"id": %d`, &id); err != nil {
		t.Fatal(err)
	}
	alone, one := newShape(), newShape()
	alone.learnBody(t, recorded(t, "job.body"))
	one.learnBody(t, get(t, s, fmt.Sprintf("/2/jobs/%d", id)))
	if diff := cmp.Diff(alone.keys[""], one.keys[""]); diff != "" {
		t.Errorf("fields of one job (-want +got):\n%s", diff)
	}
}

// jobShape returns the types of the jobs' fields, under "", and those of the
// parameters of each operation.
func jobShape(tb testing.TB, body []byte) map[string]map[string][]string {
	tb.Helper()
	var jobs []map[string]json.RawMessage
	must(tb, json.Unmarshal(body, &jobs))
	shapes := map[string]shape{"": newShape()}
	for _, job := range jobs {
		var ops []json.RawMessage
		must(tb, json.Unmarshal(job["ops"], &ops))
		var op struct {
			ID string `json:"OP_ID"`
		}
		must(tb, json.Unmarshal(ops[0], &op))
		if _, ok := shapes[op.ID]; !ok {
			shapes[op.ID] = newShape()
		}
		shapes[op.ID].learnBody(tb, ops[0])
		job["ops"] = json.RawMessage("[]")
		job["status"] = json.RawMessage(`"success"`)
		rest, err := json.Marshal(job)
		must(tb, err)
		shapes[""].learnBody(tb, rest)
	}
	out := map[string]map[string][]string{}
	for op, s := range shapes {
		out[op] = sorted(s.labels)
	}
	return out
}
