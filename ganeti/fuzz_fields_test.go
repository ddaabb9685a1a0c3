package ganeti_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti"
)

// reading compares what a decoder read with what encoding/json reads in the same item.
type reading struct {
	t   *testing.T
	raw []byte
	m   map[string]any
}

// want fails the test unless both readings of a field are the same.
func (r reading) want(key string, want, got any) {
	r.t.Helper()
	if diff := cmp.Diff(want, got, equateEmpty); diff != "" {
		r.t.Errorf("%q: %s (-encoding/json +decoder):\n%s", r.raw, key, diff)
	}
}

// textOf is a value as a text column has it.
func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "\x00", "\ufffd")
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	default:
		return ""
	}
}

func (r reading) text(key, got string) {
	r.t.Helper()
	r.want(key, textOf(r.m[key]), got)
}

func (r reading) texts(key string, got []string) {
	r.t.Helper()
	var want []string
	if list, ok := r.m[key].([]any); ok {
		for _, v := range list {
			want = append(want, textOf(v))
		}
	} else if one := textOf(r.m[key]); one != "" {
		want = []string{one}
	}
	r.want(key, want, got)
}

// integer compares where both understand the value: whole numbers, and what is none at all.
func (r reading) integer(key string, v any, got *int64) {
	r.t.Helper()
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			r.want(key, &n, got)
		}
	case string:
		if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil {
			r.want(key, &n, got)
		}
	default:
		r.want(key, (*int64)(nil), got)
	}
}

func (r reading) boolean(key string, got *bool) {
	r.t.Helper()
	switch v := r.m[key].(type) {
	case bool:
		r.want(key, &v, got)
	case nil, []any, map[string]any:
		r.want(key, (*bool)(nil), got)
	}
}

// moment compares a plain decimal number of seconds, to the microsecond.
func (r reading) moment(key string, got *time.Time) {
	r.t.Helper()
	n, ok := r.m[key].(json.Number)
	if !ok || strings.ContainsAny(n.String(), "eE") || len(n) > 40 {
		return
	}
	want, ok := new(big.Rat).SetString(n.String())
	if !ok {
		r.t.Fatalf("%q is no number", n)
	}
	// 0 is what is said of objects whose time nobody knows.
	if want.Cmp(big.NewRat(1, 1_000_000)) < 0 || want.Cmp(big.NewRat(253402300799, 1)) >= 0 {
		return
	}
	if got == nil {
		r.t.Errorf("%q: %s is unknown, want %s", r.raw, key, n)
		return
	}
	off := want.Sub(want, new(big.Rat).SetFrac64(got.UnixMicro(), 1e6))
	if off.Abs(off).Cmp(big.NewRat(1, 1_000_000)) >= 0 {
		r.t.Errorf("%q: %s is %s, want %s", r.raw, key, got, n)
	}
}

// object compares what every object but a job has.
func (r reading) object(uuid, name string, tags []string, created, modified *time.Time) {
	r.t.Helper()
	r.want("uuid", r.m["uuid"], any(uuid))
	r.want("name", r.m["name"], any(name))
	r.texts("tags", tags)
	r.moment("ctime", created)
	r.moment("mtime", modified)
}

func (r reading) instance(i ganeti.Instance) {
	r.object(i.UUID, i.Name, i.Tags, i.CTime, i.MTime)
	r.integer("serial_no", r.m["serial_no"], i.SerialNo)
	r.text("status", i.Status)
	r.text("pnode", i.PNode)
	r.text("os", i.OS)
	r.text("disk_template", i.DiskTemplate)
	if up, ok := r.m["admin_state"].(bool); ok {
		r.want("admin_state", map[bool]string{true: "up", false: "down"}[up], i.AdminState)
	} else {
		r.text("admin_state", i.AdminState)
	}
	r.boolean("oper_state", i.OperState)
	r.texts("snodes", i.SNodes)
	r.texts("nic.ips", i.NICIPs)
	r.texts("nic.macs", i.NICMACs)
	r.texts("nic.networks.names", i.NICNetworkNames)
	r.integer("oper_ram", r.m["oper_ram"], i.OperRAM)
	r.integer("network_port", r.m["network_port"], i.NetworkPort)
	params, _ := r.m["beparams"].(map[string]any)
	r.integer("beparams.vcpus", params["vcpus"], i.VCPUs)
	if list, ok := r.m["disk.sizes"].([]any); ok {
		r.want("disk.sizes", len(list), len(i.DiskSizes))
	}
}

func (r reading) node(n ganeti.Node) {
	r.object(n.UUID, n.Name, n.Tags, n.CTime, n.MTime)
	r.integer("serial_no", r.m["serial_no"], n.SerialNo)
	r.text("role", n.Role)
	r.text("group.uuid", n.GroupUUID)
	r.text("pip", n.PrimaryIP)
	r.boolean("offline", n.Offline)
	r.boolean("vm_capable", n.VMCapable)
	r.integer("mtotal", r.m["mtotal"], n.MemoryTotalMiB)
	r.integer("cnos", r.m["cnos"], n.CPUsReserved)
	r.integer("sinst_cnt", r.m["sinst_cnt"], n.SecondaryInstances)
}

func (r reading) group(g ganeti.Group) {
	r.object(g.UUID, g.Name, g.Tags, g.CTime, g.MTime)
	r.integer("serial_no", r.m["serial_no"], g.SerialNo)
	r.text("alloc_policy", g.AllocPolicy)
	r.texts("node_list", g.Nodes)
	r.integer("node_cnt", r.m["node_cnt"], g.NodeCount)
}

func (r reading) network(n ganeti.Network) {
	r.object(n.UUID, n.Name, n.Tags, n.CTime, n.MTime)
	r.integer("serial_no", r.m["serial_no"], n.SerialNo)
	r.text("network", n.Network)
	r.text("gateway6", n.Gateway6)
	r.text("mac_prefix", n.MACPrefix)
	r.integer("free_count", r.m["free_count"], n.FreeCount)
}

func (r reading) job(j ganeti.Job) {
	r.text("status", j.Status)
	if list, ok := r.m["summary"].([]any); ok {
		r.want("summary", len(list), len(j.Summary))
	}
	r.moment("received_ts", j.ReceivedAt)
	r.moment("end_ts", j.EndedAt)
	id, err := strconv.ParseInt(j.ID, 10, 64)
	r.want("id", nil, err)
	r.integer("id", r.m["id"], &id)
}

func (r reading) info(i ganeti.Info) {
	r.object(i.UUID, i.Name, i.Tags, i.CTime, i.MTime)
	r.text("software_version", i.SoftwareVersion)
	r.text("master", i.Master)
	r.texts("enabled_hypervisors", i.Hypervisors)
}

// mustDecode says that an item is as harmless as any real one: nothing in it explains a refusal.
func (r reading) mustDecode(decoder string) bool {
	if len(r.raw) > 400 || slices.Max(slices.Concat(r.raw, []byte{0})) >= 0x80 || bytes.ContainsAny(r.raw, `\`) || bytes.Count(r.raw, []byte("["))+bytes.Count(r.raw, []byte("{")) > 50 {
		return false
	}
	if decoder == "Job" {
		id, ok := r.m["id"].(json.Number)
		n, err := id.Int64()
		return ok && err == nil && n > 0
	}
	for _, key := range []string{"uuid", "name"} {
		if text, ok := r.m[key].(string); !ok || !proper(text, 64) || bytes.Count(r.raw, []byte(key)) > 1 {
			return false
		}
	}
	return true
}

// FuzzDecode_Fields lets encoding/json judge each decoder: what both understand has the same value, and nothing but its
// identity or a text's length makes an item unreadable.
func FuzzDecode_Fields(f *testing.F) {
	for _, name := range []string{"instance-kvm.body", "state-nodedown-instance.body", "node.body", "group.body", "network.body", "job-error.body", "info.body"} {
		f.Add(file(f, name))
	}
	for _, s := range []string{
		`{"uuid":"u","name":"n","id":7,"tags":"one","ctime":1700000000.1234567,"mtime":0,"serial_no":"5","status":true,"beparams":{"vcpus":2}}`,
		`{"uuid":"u","name":"n","id":"7","admin_state":false,"oper_state":null,"nic.ips":[null,1,true,"x"],"disk.sizes":[1,null],"ctime":[1,2]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := reading{t: t, raw: raw}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if !json.Valid(raw) || d.Decode(&r.m) != nil || r.m == nil || bytes.Count(raw, []byte("["))+bytes.Count(raw, []byte("{")) > 100 {
			return
		}
		for name, decode := range decoders {
			v, err := decode(raw)
			if err != nil {
				if r.mustDecode(name) {
					t.Errorf("%s refuses %q: %v", name, raw, err)
				}
				continue
			}
			switch v := v.(type) {
			case ganeti.Instance:
				r.instance(v)
			case ganeti.Node:
				r.node(v)
			case ganeti.Group:
				r.group(v)
			case ganeti.Network:
				r.network(v)
			case ganeti.Job:
				r.job(v)
			case ganeti.Info:
				r.info(v)
			default:
				t.Fatalf("%s gives a %T", name, v)
			}
		}
	})
}
