package dbtest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ganeticache/db"
)

func permissionConformance(t *testing.T, open func(testing.TB, db.Options) *db.Store) {
	t.Helper()
	owners := db.Options{OwnerTags: []db.OwnerTag{
		{Pattern: regexp.MustCompile("owner:(.+)"), Permission: "owner"},
		{Pattern: regexp.MustCompile("may:(?P<permission>[a-z]+):(?P<subject>.+)")},
	}}
	for _, c := range []struct {
		name string
		run  func(*fixture)
	}{
		{"grants are given, listed and taken back", grants},
		{"grants survive rename, migration, tombstone and return, not purge", grantsSurvive},
		{"a grant names its VM beyond doubt", grantNames},
		{"permitted is what any of the subjects was granted", permitted},
		{"hostile names stay text", hostileGrants},
		{"owner tags grant and revoke", ownerTags},
		{"owner tags of a first load", ownerTagsCold},
		{"owner tags stay with a tombstone and are compared when it returns", ownerTagsReturn},
		{"all owner tags are brought up to date on request", ownerTagsSync},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(newFixture(t, open(t, owners)))
		})
	}
}

// give grants and reports whether that was new.
func (f *fixture) give(subject, permission, cluster, vm string) bool {
	f.Helper()
	return must(f.s.Grant(f.ctx(), db.Grant{Subject: subject, Permission: permission, Cluster: cluster, VM: vm}))(f)
}

// granted lists grants as "subject permission cluster/vm source".
func (f *fixture) granted(filter db.GrantFilter) []string {
	f.Helper()
	lines := []string{}
	for _, g := range must(f.s.Grants(f.ctx(), filter))(f) {
		lines = append(lines, fmt.Sprintf("%s %s %s/%s %s", g.Subject, g.Permission, g.Cluster, g.VM, g.Source))
	}
	slices.Sort(lines)
	return lines
}

// allowed lists the uuids of the VMs, tombstones included, that the subjects are permitted.
func (f *fixture) allowed(permission string, subjects ...string) []string {
	f.Helper()
	uuids := []string{}
	for uuid, l := range f.vms() {
		if must(f.s.Allowed(f.ctx(), db.Permitted{Subjects: subjects, Permission: permission}, l.ID))(f) {
			uuids = append(uuids, uuid)
		}
	}
	slices.Sort(uuids)
	return uuids
}

func grants(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	same(f, "new", true, f.give("alice", "admin", "alpha", "web"))
	same(f, "again", false, f.give("alice", "admin", "alpha", "u1"))
	same(f, "another permission", true, f.give("alice", "start", "alpha", "web"))
	same(f, "a cluster", true, f.give("staff", "admin", "alpha", ""))
	same(f, "a cluster again", false, f.give("staff", "admin", "alpha", ""))
	all := []string{"alice admin alpha/web grant", "alice start alpha/web grant", "staff admin alpha/ grant"}
	same(f, "all", all, f.granted(db.GrantFilter{}))
	same(f, "of alice", all[:2], f.granted(db.GrantFilter{Subject: "alice"}))
	same(f, "admins", []string{all[0], all[2]}, f.granted(db.GrantFilter{Permission: "admin"}))
	same(f, "of the VM", all[:2], f.granted(db.GrantFilter{Cluster: "alpha", VM: "u1"}))
	same(f, "of another cluster", []string{}, f.granted(db.GrantFilter{Cluster: "beta"}))
	same(f, "from tags", []string{}, f.granted(db.GrantFilter{Source: db.SourceTag}))

	revoke := func(g db.Grant) bool { return must(f.s.Revoke(f.ctx(), g))(f) }
	id := f.vms()["u1"].ID
	same(f, "revoked", true, revoke(db.Grant{Subject: "alice", Permission: "start", Cluster: "alpha", VMID: &id}))
	same(f, "revoked again", false, revoke(db.Grant{Subject: "alice", Permission: "start", Cluster: "alpha", VMID: &id}))
	same(f, "not the cluster's", false, revoke(db.Grant{Subject: "staff", Permission: "admin", Cluster: "alpha", VM: "web"}))
	same(f, "the cluster's", true, revoke(db.Grant{Subject: "staff", Permission: "admin", Cluster: "alpha"}))
	same(f, "left", all[:1], f.granted(db.GrantFilter{}))
}

func grantsSurvive(f *fixture) {
	f.sync(settings("alpha"), settings("beta"))
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	f.give("alice", "admin", "alpha", "web")
	f.give("staff", "view", "alpha", "")
	want := func(what string) {
		f.Helper()
		same(f, what+": alice", []string{"u1"}, f.allowed("admin", "alice"))
		same(f, what+": staff", []string{"u1", "u2"}, f.allowed("view", "staff"))
		same(f, what+": both", []string{"u1", "u2"}, f.allowed("", "staff", "alice"))
		same(f, what+": nobody", []string{}, f.allowed("admin", "mallory", "bob"))
	}
	want("at first")
	f.apply(db.KindVM, vm("u1", "www", func(v *db.VM) { v.PrimaryNode = "node9" }), vm("u2", "db"))
	want("renamed and migrated")
	f.apply(db.KindVM, vm("u1", "db"), vm("u2", "www"))
	want("names swapped")
	f.apply(db.KindVM, vm("u2", "www"))
	want("a tombstone")
	f.apply(db.KindVM, vm("u1", "back"), vm("u2", "www"))
	want("back")
	f.sync(settings("beta"))
	want("the cluster left the configuration")
	f.sync(settings("alpha"), settings("beta"))
	f.apply(db.KindVM, vm("u2", "www"))
	must(f.s.Purge(f.ctx(), f.now.Add(time.Second)))(f)
	same(f, "purged", []string{"staff view alpha/ grant"}, f.granted(db.GrantFilter{}))
	// The same uuid later is another row: what alice had is gone for good.
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "www"))
	same(f, "a new row", []string{}, f.allowed("admin", "alice"))
}

func grantNames(f *fixture) {
	f.sync(settings("alpha"), settings("beta"))
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "twin"), vm("u3", "twin"), vm("web", "odd"))
	f.apply(db.KindVM, vm("u2", "twin"), vm("u3", "twin"), vm("web", "odd")) // u1 is a tombstone
	grant := func(g db.Grant) error {
		g.Subject, g.Permission = "alice", "admin"
		_, err := f.s.Grant(f.ctx(), g)
		return err
	}
	wantError(f, db.ErrNotFound, grant(db.Grant{Cluster: "gamma"}))
	wantError(f, db.ErrNotFound, grant(db.Grant{Cluster: "alpha", VM: "none"}))
	wantError(f, db.ErrNotFound, grant(db.Grant{Cluster: "beta", VM: "u2"}))
	wantError(f, db.ErrNotFound, grant(db.Grant{Cluster: "beta", VMID: new(f.vms()["u2"].ID)}))
	err := grant(db.Grant{Cluster: "alpha", VM: "twin"})
	ambiguous, ok := errors.AsType[*db.AmbiguousError](err)
	if !ok {
		f.Fatalf("got %v, want an *AmbiguousError", err)
	}
	same(f, "candidates", []string{"alpha/twin (u2)", "alpha/twin (u3)"}, ambiguous.Candidates)
	same(f, "nothing was granted", []string{}, f.granted(db.GrantFilter{}))
	wantError(f, nil, grant(db.Grant{Cluster: "alpha", VM: "web"}))
	same(f, "a uuid wins over a name", []string{"web"}, f.allowed("admin", "alice"))
	f.apply(db.KindVM, vm("u2", "twin"), vm("u3", "other"), vm("web", "odd"))
	f.apply(db.KindVM, vm("u3", "twin"), vm("web", "odd")) // u2 is a tombstone of the same name
	wantError(f, nil, grant(db.Grant{Cluster: "alpha", VM: "twin"}))
	same(f, "a live VM wins over a tombstone", []string{"u3", "web"}, f.allowed("admin", "alice"))
	for _, bad := range []db.Grant{
		{Permission: "x", Cluster: "alpha"},
		{Subject: "x", Cluster: "alpha"},
		{Subject: strings.Repeat("x", 600), Permission: "x", Cluster: "alpha"},
		{Subject: "nul\x00", Permission: "x", Cluster: "alpha"},
		{Subject: "x", Permission: "latin\xff", Cluster: "alpha"},
	} {
		_, err := f.s.Grant(f.ctx(), bad)
		wantError(f, db.ErrBadGrant, err)
	}
}

func permitted(f *fixture) {
	clusters := f.sync(settings("alpha"), settings("beta"))
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	f.applySnapshot(f.answerOf(clusters[1].ID, db.KindVM, vm("u1", "web"), vm("u9", "other")))
	f.give("alice", "admin", "alpha", "web")
	f.give("alice", "view", "alpha", "db")
	f.give("staff", "admin", "beta", "")
	same(f, "admin", []string{"u1"}, f.allowed("admin", "alice", "staff"))
	same(f, "any permission", []string{"u1", "u2"}, f.allowed("", "alice"))
	same(f, "no subject", []string{}, f.allowed(""))
	same(f, "the empty subject", []string{}, f.allowed("", ""))
	same(f, "another case", []string{}, f.allowed("admin", "Alice", "ALICE", "alice "))
	f.cluster = clusters[1]
	same(f, "the same uuid in another cluster", []string{}, f.allowed("admin", "alice"))
	same(f, "everything in a cluster", []string{"u1", "u9"}, f.allowed("admin", "staff"))
	same(f, "no such VM", false, must(f.s.Allowed(f.ctx(), db.Permitted{Subjects: []string{"staff"}}, 4711))(f))
}

func hostileGrants(f *fixture) {
	names := []string{
		"'; DROP TABLE permissions; --", `"quoted"`, `back\slash`, "{a,b}", "[\"a\"]", "null", "NULL", "%", "_", "?", "$1",
		"<script>alert(1)</script>", "ünïcode ☃", "line\nbreak", " space ", "\u202eright to left", strings.Repeat("long", 100),
	}
	var items []db.Item
	for i, name := range names {
		items = append(items, vm(fmt.Sprintf("u%02d", i), name, func(v *db.VM) { v.Tags = db.List{"owner:tag " + name} }))
	}
	f.apply(db.KindVM, items...)
	for i, name := range names {
		same(f, "granted", true, f.give(name, name, "alpha", name))
		uuid := fmt.Sprintf("u%02d", i)
		same(f, name, []string{uuid}, f.allowed(name, name))
		if !strings.Contains(name, "\n") { // which the pattern's dot does not match
			same(f, "by tag: "+name, []string{uuid}, f.allowed("owner", "tag "+name))
		}
		same(f, "filtered", 1, len(f.granted(db.GrantFilter{Subject: name, Permission: name, Cluster: "alpha", VM: name})))
	}
	// Tags that no index takes, or that are no text, must not keep a cluster from being refreshed.
	bad := vm("u00", "x", tags("owner:"+strings.Repeat("x", 10_000), "owner:nul\x00", "owner:latin\xff", "owner:", "may:::", "owner:fine"))
	f.apply(db.KindVM, withRaw(bad.Row, `{"tags": "are the row's"}`))
	same(f, "tags", []string{
		"fine owner alpha/x tag", "latin\uFFFD owner alpha/x tag", "nul\uFFFD owner alpha/x tag",
	}, f.granted(db.GrantFilter{VM: "u00", Source: db.SourceTag}))
}

func tags(t ...string) func(*db.VM) { return func(v *db.VM) { v.Tags = t } }

func ownerTags(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web"), vm("u2", "db"))
	f.give("alice", "owner", "alpha", "web")
	f.give("bob", "owner", "alpha", "web")
	byHand := []string{"alice owner alpha/web grant", "bob owner alpha/web grant"}
	f.apply(db.KindVM, vm("u1", "web", tags("env:prod", "owner:alice", "may:start:ops", "former-owner:eve")), vm("u2", "db"))
	want := []string{"alice owner alpha/web grant", "alice owner alpha/web tag", "bob owner alpha/web grant", "ops start alpha/web tag"}
	same(f, "tagged", want, f.granted(db.GrantFilter{}))
	same(f, "a tag's grant is not revoked by hand", false, must(f.s.Revoke(f.ctx(), db.Grant{
		Subject: "ops", Permission: "start", Cluster: "alpha", VM: "web",
	}))(f))

	ids := func() string {
		var text []string
		for _, g := range must(f.s.Grants(f.ctx(), db.GrantFilter{}))(f) {
			text = append(text, strconv.FormatInt(g.ID, 10))
		}
		return strings.Join(text, " ")
	}
	before := ids()
	f.apply(db.KindVM, vm("u1", "www", tags("env:prod", "owner:alice", "may:start:ops"), func(v *db.VM) { v.Status = "ADMIN_down" }), vm("u2", "db"))
	same(f, "rows are left alone", before, ids())
	dry := f.answer(db.KindVM, vm("u1", "www", tags("owner:eve")), vm("u2", "db"))
	dry.DryRun = true
	f.applySnapshot(dry)
	same(f, "a dry run", before, ids())

	f.apply(db.KindVM, vm("u1", "web", tags("owner:carol", "owner:carol")), vm("u2", "db", tags("owner:carol")))
	same(f, "handed over", append(byHand, "carol owner alpha/db tag", "carol owner alpha/web tag"), f.granted(db.GrantFilter{}))
	same(f, "carol", []string{"u1", "u2"}, f.allowed("owner", "carol"))
	f.apply(db.KindVM, vm("u1", "web", tags()), vm("u2", "db", tags("owner:carol")))
	same(f, "untagged", append(byHand, "carol owner alpha/db tag"), f.granted(db.GrantFilter{}))

	// One object alone, as a lazy read observes it.
	observe := func(item db.Item) {
		f.Helper()
		item.Row.Base().Info = item.Raw
		asked := f.ask()
		must(f.s.Observe(f.ctx(), db.Observation{
			ClusterID: f.cluster.ID, Kind: db.KindVM, StartedAt: asked.At, Ticket: asked.Number, Item: item,
		}))(f)
	}
	observe(vm("u1", "web", tags("owner:dave")))
	observe(vm("u3", "new", tags("owner:dave")))
	same(f, "dave", []string{"u1", "u3"}, f.allowed("owner", "dave"))
	observe(vm("u1", "web", tags()))
	same(f, "dave", []string{"u3"}, f.allowed("owner", "dave"))
}

func ownerTagsCold(f *fixture) {
	items := many(250)
	for i := range items {
		row, ok := items[i].Row.(*db.VM)
		if !ok {
			f.Fatal("no VM")
		}
		items[i] = vm(row.UUID, row.Name, tags("owner:team-"+strconv.Itoa(i%10), "owner:all", "x"))
	}
	f.apply(db.KindVM, items...)
	same(f, "grants", int64(500), f.number("SELECT count(*) FROM permissions WHERE source = 'tag'"))
	same(f, "of a team", 25, len(f.allowed("owner", "team-3")))
	f.apply(db.KindVM, append(items, vm("v1", "late", tags("owner:team-3")))...)
	same(f, "of a team, with one created later", 26, len(f.allowed("owner", "team-3")))
	f.apply(db.KindNode, node("n1", "node1", func(n *db.Node) { n.Tags = db.List{"owner:node"} }))
	same(f, "only VMs have owners", int64(501), f.number("SELECT count(*) FROM permissions WHERE source = 'tag'"))
}

func ownerTagsReturn(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web", tags("owner:alice")), vm("u2", "db"))
	f.apply(db.KindVM, vm("u2", "db"))
	same(f, "a tombstone", []string{"alice owner alpha/web tag"}, f.granted(db.GrantFilter{}))
	f.apply(db.KindVM, vm("u1", "web", tags("owner:alice")), vm("u2", "db"))
	same(f, "back", []string{"alice owner alpha/web tag"}, f.granted(db.GrantFilter{}))
	f.apply(db.KindVM, vm("u2", "db"))
	f.apply(db.KindVM, vm("u1", "web", tags("owner:bob")), vm("u2", "db"))
	same(f, "back with another owner", []string{"bob owner alpha/web tag"}, f.granted(db.GrantFilter{}))
	f.apply(db.KindVM, vm("u2", "db"))
	must(f.s.Purge(f.ctx(), f.now.Add(time.Second)))(f)
	same(f, "purged", []string{}, f.granted(db.GrantFilter{}))
}

func ownerTagsSync(f *fixture) {
	f.apply(db.KindVM, vm("u1", "web", tags("owner:alice")), vm("u2", "db", tags("owner:bob")), vm("u3", "gone", tags("owner:eve")))
	f.apply(db.KindVM, vm("u1", "web", tags("owner:alice")), vm("u2", "db", tags("owner:bob")))
	f.give("alice", "owner", "alpha", "web")
	same(f, "nothing to do", int64(0), must(f.s.SyncOwnerTags(f.ctx()))(f))
	all := f.granted(db.GrantFilter{})
	// As another pattern would have left it.
	f.mustWrite("DELETE FROM permissions WHERE subject = 'bob'")
	f.mustWrite("INSERT INTO permissions (subject, permission, vm_id, source) SELECT 'mallory', 'owner', id, 'tag' FROM virtual_machines")
	f.sync(settings("beta")) // frozen, and yet nobody keeps what the pattern no longer grants
	same(f, "written", int64(4), must(f.s.SyncOwnerTags(f.ctx()))(f))
	same(f, "grants", all, f.granted(db.GrantFilter{}))
}
