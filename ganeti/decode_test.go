package ganeti_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/ganeti"
)

func at(sec, usec int64) *time.Time {
	t := time.Unix(sec, usec*1000).UTC()
	return &t
}

// decoders are all of them, for what holds for each.
var decoders = map[string]func([]byte) (any, error){
	"Instance": func(b []byte) (any, error) { return ganeti.DecodeInstance(b) },
	"Node":     func(b []byte) (any, error) { return ganeti.DecodeNode(b) },
	"Group":    func(b []byte) (any, error) { return ganeti.DecodeGroup(b) },
	"Network":  func(b []byte) (any, error) { return ganeti.DecodeNetwork(b) },
	"Job":      func(b []byte) (any, error) { return ganeti.DecodeJob(b) },
	"Info":     func(b []byte) (any, error) { return ganeti.DecodeInfo(b) },
}

func TestDecodeInstance_OldVersions(t *testing.T) {
	t.Parallel()
	id := ganeti.Instance{UUID: "u", Name: "n"}
	tests := []struct {
		name, fields string
		want         func(*ganeti.Instance)
	}{
		{"2.5: memory instead of maxmem", `"beparams": {"memory": 512, "vcpus": 2, "auto_balance": true}`, func(i *ganeti.Instance) {
			i.MemoryMiB, i.VCPUs = new(int64(512)), new(int64(2))
		}},
		{"2.6: both", `"beparams": {"memory": 1024, "maxmem": 1024, "minmem": 512}`, func(i *ganeti.Instance) { i.MemoryMiB = new(int64(1024)) }},
		{"maxmem wins", `"beparams": {"memory": 1, "maxmem": 2}`, func(i *ganeti.Instance) { i.MemoryMiB = new(int64(2)) }},
		{"maxmem is null", `"beparams": {"memory": 1, "maxmem": null}`, func(i *ganeti.Instance) { i.MemoryMiB = new(int64(1)) }},
		{"2.5: admin_state true", `"admin_state": true`, func(i *ganeti.Instance) { i.AdminState = "up" }},
		{"2.5: admin_state false", `"admin_state": false`, func(i *ganeti.Instance) { i.AdminState = "down" }},
		{"2.x: not running", `"oper_ram": "-", "oper_vcpus": "-", "oper_state": false`, func(i *ganeti.Instance) { i.OperState = new(false) }},
		{"2.x: network_port is a dash", `"network_port": "-"`, func(*ganeti.Instance) {}},
		{"2.x: network_port is a string", `"network_port": "11013"`, func(i *ganeti.Instance) { i.NetworkPort = new(int64(11013)) }},
		{"none of the fields", `"later": {}`, func(*ganeti.Instance) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := id
			tt.want(&want)
			got, err := ganeti.DecodeInstance([]byte(`{"uuid": "u", "name": "n", ` + tt.fields + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestDecode_Hostile puts each value into one field of each type.
func TestDecode_Hostile(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("9", 400)
	tests := []struct {
		value   string
		text    string
		integer *int64
		boolean *bool
		list    []string
		time    *time.Time
	}{
		{value: `null`},
		{`"x"`, "x", nil, nil, []string{"x"}, nil},
		{`""`, "", nil, nil, nil, nil},
		{`"-"`, "-", nil, nil, []string{"-"}, nil},
		{`"12"`, "12", new(int64(12)), new(true), []string{"12"}, at(12, 0)},
		{`" 12 "`, " 12 ", new(int64(12)), nil, []string{" 12 "}, nil},
		{`0`, "0", new(int64(0)), new(false), []string{"0"}, nil},
		{`-1`, "-1", new(int64(-1)), new(true), []string{"-1"}, at(-1, 0)},
		{`7.9`, "7.9", new(int64(7)), new(true), []string{"7.9"}, at(7, 900000)},
		{`-7.9`, "-7.9", new(int64(-7)), new(true), []string{"-7.9"}, at(-8, 100000)},
		{`1e3`, "1e3", new(int64(1000)), new(true), []string{"1e3"}, at(1000, 0)},
		{`1.9999999999`, "1.9999999999", new(int64(1)), new(true), []string{"1.9999999999"}, at(2, 0)},
		{`9223372036854775807`, "9223372036854775807", new(int64(9223372036854775807)), new(true), []string{"9223372036854775807"}, nil},
		{`9223372036854775808`, "9223372036854775808", nil, nil, []string{"9223372036854775808"}, nil},
		{`1e400`, "1e400", nil, nil, []string{"1e400"}, nil},
		{`-1e400`, "-1e400", nil, nil, []string{"-1e400"}, nil},
		{`NaN`, "", nil, nil, nil, nil},
		{`Infinity`, "", nil, nil, nil, nil},
		{`-Infinity`, "", nil, nil, nil, nil},
		{`"NaN"`, "NaN", nil, nil, []string{"NaN"}, nil},
		{`"0x10"`, "0x10", nil, nil, []string{"0x10"}, nil},
		{long, long, nil, nil, []string{long}, nil},
		{`true`, "true", nil, new(true), []string{"true"}, nil},
		{`false`, "false", nil, new(false), []string{"false"}, nil},
		{`"TRUE"`, "TRUE", nil, new(true), []string{"TRUE"}, nil},
		{`{}`, "", nil, nil, nil, nil},
		{`{"a": [1]}`, "", nil, nil, nil, nil},
		{`[]`, "", nil, nil, []string{}, nil},
		{`[1, null, "x", true, [2], {}]`, "", nil, nil, []string{"1", "", "x", "true", "", ""}, nil},
		{`[10, 250000]`, "", nil, nil, []string{"10", "250000"}, at(10, 250000)},
		{`[10, null]`, "", nil, nil, []string{"10", ""}, nil},
		{`[10, 2000000]`, "", nil, nil, []string{"10", "2000000"}, nil},
		{`[1e300, 0]`, "", nil, nil, []string{"1e300", "0"}, nil},
		{`"a\u0000b"`, "a\ufffdb", nil, nil, []string{"a\ufffdb"}, nil},
		{`"\ud800"`, "\ufffd", nil, nil, []string{"\ufffd"}, nil},
		{"\"\xff\"", "\ufffd", nil, nil, []string{"\ufffd"}, nil},
		{`"grün 😀"`, "grün 😀", nil, nil, []string{"grün 😀"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.value[:min(len(tt.value), 20)], func(t *testing.T) {
			t.Parallel()
			raw := fmt.Appendf(nil, `{"uuid": "u", "os": %[1]s, "serial_no": %[1]s, "oper_state": %[1]s, `+
				`"tags": %[1]s, "mtime": %[1]s, "beparams": %[1]s, "disk.sizes": %[1]s, "name": "n"}`, tt.value)
			got, err := ganeti.DecodeInstance(raw)
			if err != nil {
				t.Fatal(err)
			}
			got.DiskSizes, got.DiskMiB = nil, nil
			want := ganeti.Instance{
				UUID: "u", Name: "n", OS: tt.text, SerialNo: tt.integer, OperState: tt.boolean, Tags: tt.list, MTime: tt.time,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeInstance_DiskMiB(t *testing.T) {
	t.Parallel()
	tests := []struct {
		sizes string
		want  *int64
	}{
		{`[]`, new(int64(0))},
		{`[32, 48]`, new(int64(80))},
		{`["32", 48.5]`, new(int64(80))},
		{`null`, nil},
		{`5`, nil},
		{`[32, null]`, nil},
		{`[32, -1]`, nil},
		{`[9223372036854775807, 1]`, nil},
	}
	for _, tt := range tests {
		got, err := ganeti.DecodeInstance(fmt.Appendf(nil, `{"uuid": "u", "name": "n", "disk.sizes": %s}`, tt.sizes))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, got.DiskMiB); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.sizes, diff)
		}
	}
}

func TestDecode_Refused(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 100) + strings.Repeat("]", 100)
	long := strings.Repeat("x", 1025)
	tests := []struct {
		decoder, raw, want string
	}{
		{"Instance", `{"name": "n"}`, "uuid: is missing or empty"},
		{"Instance", `{"uuid": "", "name": "n"}`, "uuid: is missing or empty"},
		{"Instance", `{"uuid": null, "name": "n"}`, "uuid: a JSON string is needed, found null"},
		{"Instance", `{"uuid": 5, "name": "n"}`, "uuid: a JSON string is needed, found number 5"},
		{"Instance", `{"uuid": ["u"], "name": "n"}`, "uuid: a JSON string is needed, found array"},
		{"Instance", `{"uuid": NaN, "name": "n"}`, "uuid: a JSON string is needed, found null"},
		{"Instance", `{"uuid": "u"}`, "name: is missing or empty"},
		{"Instance", `{"uuid": "u", "name": 12.50}`, "name: a JSON string is needed, found number 12.50"},
		{"Instance", `{"uuid": "u", "name": true}`, "name: a JSON string is needed, found boolean"},
		{"Instance", `{"uuid": "u", "name": "a\u0000"}`, `name: "a\x00" holds a control character or is not UTF-8`},
		{"Instance", "{\"uuid\": \"u\xff\", \"name\": \"n\"}", `uuid: "u\ufffd" holds a control character or is not UTF-8`},
		{"Instance", `{"uuid": "` + strings.Repeat("u", 65) + `", "name": "n"}`, "uuid: 65 bytes, at most 64 are possible"},
		{"Instance", `{"uuid": "u", "name": "` + strings.Repeat("n", 256) + `"}`, "name: 256 bytes, at most 255 are possible"},
		{"Instance", `{"uuid": "u", "name": "n", "os": "` + long + `"}`, "os: a text of more than 1024 bytes"},
		{"Instance", `{"uuid": "u", "name": "n", "tags": ["a", "` + long + `"]}`, "tags: a text of more than 1024 bytes"},
		{"Instance", `{"uuid": "u", "name": "n", "x": ` + deep + `}`, "nested more than 100 deep"},
		{"Instance", `{"uuid": "u", "name": "n"`, "not the expected JSON"},
		{"Instance", `{"uuid": "u" "name": "n"}`, "byte 13"},
		{"Instance", ``, "not the expected JSON"},
		{"Instance", `[]`, "a JSON array where an object belongs"},
		{"Instance", `"x"`, "a JSON string where an object belongs"},
		{"Instance", `null`, "uuid: is missing or empty"},
		{"Node", `{"uuid": 1, "name": "n"}`, "uuid: a JSON string is needed, found number 1"},
		{"Group", `{"uuid": "u", "name": {}}`, "name: a JSON string is needed, found object"},
		{"Network", `{"name": "n"}`, "uuid: is missing or empty"},
		{"Info", `{"name": "n"}`, "uuid: is missing or empty"},
		{"Job", `{"status": "success"}`, "id: a whole number from 0 on is needed, found nothing"},
		{"Job", `{"id": null}`, "id: a whole number from 0 on is needed, found null"},
		{"Job", `{"id": -1}`, "id: a whole number from 0 on is needed, found number -1"},
		{"Job", `{"id": "1", "uri": "/2/jobs/1"}`, "status: is missing; this is a reference to /2/jobs/1"},
		{"Instance", `{"uuid": "u", "name": null}`, "name: a JSON string is needed, found null"},
		{"Instance", `{"uuid": "u", "name": null, "forthcoming": false}`, "name: a JSON string is needed, found null"},
		{"Instance", `{"uuid": null, "name": null, "forthcoming": true}`, "uuid: a JSON string is needed, found null"},
		{"Instance", `{"uuid": "u", "name": 5, "forthcoming": true}`, "name: a JSON string is needed, found number 5"},
		{"Job", `{"id": 1.5}`, "id: a whole number from 0 on is needed, found number 1.5"},
		{"Job", `{"id": "x"}`, "id: a whole number from 0 on is needed, found string x"},
		{"Job", `{"id": 1, "status": "` + long + `"}`, "status: a text of more than 1024 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.decoder+" "+tt.want, func(t *testing.T) {
			t.Parallel()
			got, err := decoders[tt.decoder]([]byte(tt.raw))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %+v and error %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestDecodeJob_Tolerance(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 600)
	tests := []struct {
		raw  string
		want ganeti.Job
	}{
		{`{"id": "42"}`, ganeti.Job{ID: "42"}},
		{`{"id": 42, "summary": "x", "start_ts": null}`, ganeti.Job{ID: "42"}},
		{`{"id": 42, "summary": [null, "b"], "end_ts": [5]}`, ganeti.Job{ID: "42", Summary: []string{"", "b"}}},
		{`{"id": 42, "summary": ["` + long + `"]}`, ganeti.Job{
			ID: "42", Name: long[:1020] + "...", Summary: []string{long[:1020] + "..."},
		}},
	}
	for _, tt := range tests {
		got, err := ganeti.DecodeJob([]byte(tt.raw))
		if err != nil {
			t.Fatalf("%.40s: %v", tt.raw, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%.40s (-want +got):\n%s", tt.raw, diff)
		}
	}
}

func TestDecode_DuplicateNames(t *testing.T) {
	t.Parallel()
	got, err := ganeti.DecodeInstance([]byte(`{"uuid": 1, "tags": ["a", "b"], "os": "x", "uuid": "u", "name": "n", "tags": ["c"], "os": null}`))
	if err != nil {
		t.Fatal(err)
	}
	want := ganeti.Instance{UUID: "u", Name: "n", Tags: []string{"c"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the last one counts (-want +got):\n%s", diff)
	}
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	tests := []struct{ raw, key, name string }{
		{`{"uuid": "u", "name": "n"}`, "u", "n"},
		{`{"uuid": "u", "name": 5}`, "u", "5"},
		{`{"uuid": "u", "name": ["n"]}`, "u", ""},
		{`{"uuid": "u", "name": "n", "x": NaN}`, "u", "n"},
		{`{"uuid": 5, "name": "n"}`, "", "n"},
		{`{"uuid": null, "id": 5}`, "", ""},
		{`{"uuid": "", "name": "a\nb"}`, "", "a b"},
		{`{"id": 5, "summary": ["DO(it)", "x"]}`, "5", "DO(it)"},
		{`{"id": "5"}`, "5", ""},
		{`{"id": "inst1.example.org", "uri": "/2/instances/inst1.example.org"}`, "", ""},
		{`{"id": -5}`, "", ""},
		{`{"a": {"uuid": "inner"}}`, "", ""},
		{`{"uuid": "u", "name": "n", "x": [1}`, "", "n"}, // may have swallowed its neighbour
		{`{"uuid": "u", "name": "n"`, "", "n"},
		{`{"uuid": "u", "x": ` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, "u", ""},
		{`[]`, "", ""},
		{`"u"`, "", ""},
		{``, "", ""},
	}
	for _, tt := range tests {
		if key, name := ganeti.Identify([]byte(tt.raw)); key != tt.key || name != tt.name {
			t.Errorf("Identify(%.60s) = %q, %q; want %q, %q", tt.raw, key, name, tt.key, tt.name)
		}
	}
}

// FuzzDecode: no decoder panics or keeps a forbidden text, and what Identify
// and the decoder say about an item's identity agrees.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"instance-kvm.body", "node.body", "group.body", "job-error.body", "info.body"} {
		f.Add(file(f, name))
	}
	f.Add([]byte(`{"uuid": "u", "name": "n", "tags": [null, NaN, "\ud800\u0000"], "ctime": 1e300, "beparams": 5}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		key, name := ganeti.Identify(raw)
		for decoder, decode := range decoders {
			v, err := decode(raw)
			if err != nil {
				if text := err.Error(); len(text) > 2000 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
					t.Errorf("%s: an error unfit for one line: %q", decoder, text)
				}
				continue
			}
			if i, ok := v.(ganeti.Instance); ok {
				if i.UUID != key || i.Name != name && len(i.Name) < 200 && strings.TrimSpace(i.Name) == i.Name && isASCII(i.Name) {
					t.Errorf("decoded %q %q, identified %q %q", i.UUID, i.Name, key, name)
				}
				for _, s := range append(i.Tags, i.OS, i.UUID, i.Name) {
					if len(s) > 1024 || strings.ContainsRune(s, 0) {
						t.Errorf("kept the text %q", s)
					}
				}
			}
			if _, err := builtIn.Storable(raw); err != nil {
				t.Errorf("%s decodes what Storable refuses: %v", decoder, err)
			}
		}
	})
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// TestDecode_OldAndUnfinished: what versions older than 3.0 send, and instances that are only reserved.
func TestDecode_OldAndUnfinished(t *testing.T) {
	t.Parallel()
	job, err := ganeti.DecodeJob([]byte(`{"id": "0", "status": "success", "summary": ["CLUSTER_INIT(c)"]}`))
	if err != nil || job.ID != "0" || job.Name != "CLUSTER_INIT(c)" {
		t.Errorf("job 0: %+v, %v", job, err)
	}
	for _, tt := range []struct {
		raw, name string
		networks  []string
	}{
		{`{"uuid": "u", "name": null, "forthcoming": true}`, "", nil},
		{`{"uuid": "u", "forthcoming": true}`, "", nil},
		{`{"uuid": "u", "name": "web", "forthcoming": true}`, "web", nil},
		{`{"uuid": "u", "name": "web", "nic.networks": ["n1", null]}`, "web", []string{"n1", ""}},
		{`{"uuid": "u", "name": "web", "nic.networks": ["n1"], "nic.networks.names": ["net1"]}`, "web", []string{"net1"}},
		{`{"uuid": "u", "name": "web", "nic.networks": ["n1"], "nic.networks.names": [null]}`, "web", []string{""}},
	} {
		got, err := ganeti.DecodeInstance([]byte(tt.raw))
		if err != nil || got.UUID != "u" || got.Name != tt.name {
			t.Errorf("%s: %+v, %v", tt.raw, got, err)
		}
		if diff := cmp.Diff(tt.networks, got.NICNetworkNames); diff != "" {
			t.Errorf("%s: networks (-want +got):\n%s", tt.raw, diff)
		}
	}
}
