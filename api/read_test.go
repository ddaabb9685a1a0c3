package api_test

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ganeticache/api"
	"ganeticache/db"
	"ganeticache/db/dbtest"
)

func TestAPI_ListsAndShowsWhatIsCached(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		r := newRig(t, s, "", nil)
		page := decode[api.List[api.VM]](r.get("/v1/vms?cluster=prod&sort=name"))
		var want []string
		for _, i := range r.sim("prod").Instances() {
			want = append(want, i.Name)
		}
		slices.Sort(want)
		var got []string
		for _, vm := range page.Items {
			got = append(got, vm.Name)
			if vm.Cluster != "prod" || vm.UUID == "" || vm.CachedAt == nil || vm.Info != nil {
				t.Errorf("VM %+v", vm)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("VMs of prod (-want +got):\n%s", diff)
		}
		if page.AgeSeconds == nil || *page.AgeSeconds < 0 || page.RefreshedAt == nil || page.Error != "" {
			t.Errorf("freshness %+v", page.Freshness)
		}
		vm := page.Items[0]
		for _, path := range []string{"/v1/vms/prod/" + vm.Name, "/v1/vms/prod/" + vm.UUID} {
			one := decode[api.One[api.VM]](r.get(path)).Item
			if one.ID != vm.ID || !strings.Contains(string(one.Info), vm.UUID) {
				t.Errorf("%s = %+v", path, one)
			}
		}
		r.get("/v1/vms/lab/"+vm.UUID).problem(404, "no such thing")
		for _, kind := range []string{"nodes", "groups"} {
			first := decode[api.List[api.Object]](r.get("/v1/" + kind + "?cluster=lab")).Items[0]
			one := decode[api.One[api.Object]](r.get("/v1/" + kind + "/lab/" + first.Name))
			if diff := cmp.Diff(first, one.Item); diff != "" {
				t.Errorf("%s (-list +one):\n%s", kind, diff)
			}
		}
		names(r.get("/v1/networks"))
		names(r.get("/v1/jobs"))
	})
}

func TestAPI_FiltersAndPages(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, s *db.Store) {
		r := newRig(t, s, "", nil)
		all := decode[api.List[api.VM]](r.get("/v1/vms")).Items
		vm := all[3]
		matches := func(query string, keep func(api.VM) bool) {
			t.Helper()
			want := []string{}
			for _, v := range all {
				if keep(v) {
					want = append(want, v.Name)
				}
			}
			if len(want) == 0 || len(want) == len(all) {
				t.Logf("%s chooses %d of %d, which proves little", query, len(want), len(all))
			}
			if diff := cmp.Diff(want, names(r.get("/v1/vms?"+query))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", query, diff)
			}
		}
		matches("cluster=prod", func(v api.VM) bool { return v.Cluster == "prod" })
		matches("cluster=prod&cluster=lab", func(api.VM) bool { return true })
		matches("name="+vm.Name, func(v api.VM) bool { return v.Name == vm.Name })
		matches("name=*"+url.QueryEscape(vm.Name[3:]), func(v api.VM) bool { return strings.HasSuffix(v.Name, vm.Name[3:]) })
		matches("status=running", func(v api.VM) bool { return v.Status == "running" })
		matches("primary_node="+vm.PrimaryNode, func(v api.VM) bool { return v.PrimaryNode == vm.PrimaryNode })
		matches("node="+vm.PrimaryNode, func(v api.VM) bool {
			return v.PrimaryNode == vm.PrimaryNode || slices.Contains(v.SecondaryNodes, vm.PrimaryNode)
		})
		matches("os="+url.QueryEscape(vm.OS), func(v api.VM) bool { return v.OS == vm.OS })
		matches("disk_template="+vm.DiskTemplate, func(v api.VM) bool { return v.DiskTemplate == vm.DiskTemplate })
		matches("mac="+url.QueryEscape(vm.NICMACs[0]), func(v api.VM) bool { return slices.Contains(v.NICMACs, vm.NICMACs[0]) })
		memory := strconv.FormatInt(*vm.MemoryMiB, 10)
		matches("memory="+memory+"M", func(v api.VM) bool { return *v.MemoryMiB == *vm.MemoryMiB })
		matches("vcpus=2..", func(v api.VM) bool { return *v.VCPUs >= 2 })
		matches("disk=.."+strconv.FormatInt(*vm.DiskMiB, 10), func(v api.VM) bool { return *v.DiskMiB <= *vm.DiskMiB })
		matches("changed_since=1h", func(api.VM) bool { return true })
		matches("changed_since="+url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339)), func(api.VM) bool { return false })
		matches("deleted=only", func(api.VM) bool { return false })

		var paged []string
		for next := ""; ; {
			page := decode[api.List[api.VM]](r.get("/v1/vms?limit=5&sort=memory_mib&descending=true&after=" + url.QueryEscape(next)))
			for _, v := range page.Items {
				paged = append(paged, v.UUID)
			}
			if next = page.Next; next == "" {
				break
			}
		}
		slices.Sort(paged)
		if len(paged) != len(all) || len(slices.Compact(paged)) != len(all) {
			t.Errorf("pages have %d VMs, %d are there", len(paged), len(all))
		}
		var sum int64
		for _, s := range decode[api.Sums](r.get("/v1/sums?by=node&cluster=prod")).Items {
			sum += s.VMs
		}
		if sum != 12 {
			t.Errorf("the sums by node count %d VMs, want 12", sum)
		}
	})
}

func TestAPI_SaysHowOldAndWhy(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), "", nil)
	r.cache.err = errors.New("lab: connecting to 192.0.2.1:5080: refused")
	a := r.get("/v1/vms?max_age=5m")
	page := decode[api.List[api.VM]](a)
	if page.Error != r.cache.err.Error() || len(page.Items) != 24 {
		t.Errorf("error %q with %d VMs", page.Error, len(page.Items))
	}
	if age, err := strconv.Atoi(a.header.Get("Age")); err != nil || age < 0 || age > 60 {
		t.Errorf("Age: %q", a.header.Get("Age"))
	}
	name := r.vmName("prod", 0)
	r.get("/v1/vms/prod/" + name + "?cache=only").want(200)
	r.get("/v1/vms/prod/"+name+"?cache=refresh").problem(502, "connecting to")
	r.get("/v1/nodes?max_age=90").want(200)
	minutes, seconds := 5*time.Minute, 90*time.Second
	want := []api.Read{{MaxAge: &minutes}, {CacheOnly: true}, {MustBeFresh: true}, {MaxAge: &seconds}}
	if diff := cmp.Diff(want, r.cache.reads); diff != "" {
		t.Errorf("reads (-want +got):\n%s", diff)
	}
}

func TestAPI_AnswersNotModified(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), "", nil)
	for _, path := range []string{
		"/v1/vms", "/v1/vms/prod/" + r.vmName("prod", 0), "/v1/nodes", "/v1/clusters", "/v1/clusters/prod", "/v1/sums", "/v1/openapi.json",
	} {
		first := r.get(path).want(200)
		tag := first.header.Get("ETag")
		if tag == "" {
			t.Fatalf("%s has no ETag", path)
		}
		again := r.get(path, "If-None-Match", `"other", `+strings.TrimPrefix(tag, "W/")).want(304)
		if again.body != "" || again.header.Get("ETag") != tag {
			t.Errorf("%s: 304 with %q and ETag %s", path, again.body, again.header.Get("ETag"))
		}
		if age := first.header.Get("Age"); age != "" && again.header.Get("Age") == "" {
			t.Errorf("%s: 304 without the age", path)
		}
		r.get(path, "If-None-Match", `"other"`).want(200)
	}
	before := r.get("/v1/vms").header.Get("ETag")
	must(t, r.sim("prod").Remove(r.vmName("prod", 0)))
	r.refresh("prod")
	if after := r.get("/v1/vms").header.Get("ETag"); after == before {
		t.Error("the ETag stays although a VM is gone")
	}
	r.refresh("prod")
	after := r.get("/v1/vms")
	r.refresh("prod")
	r.get("/v1/vms", "If-None-Match", after.header.Get("ETag")).want(304)
}

func TestAPI_ShowsClusters(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), "", nil)
	all := decode[api.Clusters](r.get("/v1/clusters")).Items
	if len(all) != 2 || all[0].Name != "lab" || !all[0].Whole || all[0].SoftwareVersion == "" || len(all[0].Kinds) != 6 {
		t.Fatalf("clusters %+v", all)
	}
	one := decode[api.One[api.Cluster]](r.get("/v1/clusters/prod"))
	if one.Item.Name != "prod" || len(one.Item.Info) == 0 {
		t.Errorf("cluster %+v", one.Item)
	}
	for _, secret := range []string{"rapi_username", "credentials_hash", "kaninchen"} {
		if body := r.get("/v1/clusters").body + r.get("/v1/clusters/prod").body + r.get("/v1/vms?info=true").body; strings.Contains(body, secret) {
			t.Errorf("an answer holds %q", secret)
		}
	}
	r.get("/v1/clusters/nope").problem(404, "no such thing")
}

func TestAPI_RefreshesOnDemand(t *testing.T) {
	t.Parallel()
	r := newRig(t, dbtest.SQLite(t), "", nil)
	_, err := r.sim("prod").Create("new1.example")
	must(t, err)
	res := decode[api.Refresh](r.do(http.MethodPost, "/v1/clusters/prod/refresh"))
	if !res.OK || res.Cluster != "prod" || len(res.Kinds) == 0 {
		t.Errorf("outcome %+v", res)
	}
	r.get("/v1/vms/prod/new1.example").want(200)
	r.do(http.MethodPost, "/v1/clusters/nope/refresh").problem(404, "no such thing")
	r.do(http.MethodGet, "/v1/clusters/prod/refresh").problem(405, "POST")
}
