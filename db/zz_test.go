package db_test
import ("testing";"ganeticache/db/dbtest";"time")
func TestZZ(t *testing.T) {
	s := dbtest.Postgres(t)
	id := oneCluster(t, s)
	for range 3 {
	s.Writer().MustExec("TRUNCATE virtual_machines, changes, freshness CASCADE")
	t0 := time.Now()
	apply(t, s, snapshot(id, 0, 10000, 0))
	t.Log("apply", time.Since(t0))
	s.Writer().MustExec("TRUNCATE changes")
	t0 = time.Now()
	s.Writer().MustExec("INSERT INTO changes (cluster_id, kind, object_id, uuid, name, op, observed_at) SELECT cluster_id, 'vm', id, uuid, name, 'created', observed_at FROM virtual_machines WHERE cluster_id = 1 ORDER BY id")
	t.Log("changes", time.Since(t0))
	}
	s.Writer().MustExec("TRUNCATE changes")
	s.Writer().MustExec("ALTER TABLE changes DROP CONSTRAINT changes_cluster_id_fkey")
	t0 := time.Now()
	s.Writer().MustExec("INSERT INTO changes (cluster_id, kind, object_id, uuid, name, op, observed_at) SELECT cluster_id, 'vm', id, uuid, name, 'created', observed_at FROM virtual_machines WHERE cluster_id = 1 ORDER BY id")
	t.Log("changes no fk", time.Since(t0))
	s.Writer().MustExec("TRUNCATE changes")
	s.Writer().MustExec("DROP INDEX changes_object")
	t0 = time.Now()
	s.Writer().MustExec("INSERT INTO changes (cluster_id, kind, object_id, uuid, name, op, observed_at) SELECT cluster_id, 'vm', id, uuid, name, 'created', observed_at FROM virtual_machines WHERE cluster_id = 1 ORDER BY id")
	t.Log("changes no fk no index", time.Since(t0))
	for _, d := range []string{"", "virtual_machines DROP CONSTRAINT virtual_machines_cluster_id_fkey"} {
		if d != "" { s.Writer().MustExec("ALTER TABLE "+d) }
	s.Writer().MustExec("TRUNCATE virtual_machines, changes, freshness CASCADE")
	t0 = time.Now()
	apply(t, s, snapshot(id, 0, 10000, 0))
	t.Log("apply", d, time.Since(t0))
	}
	s.Writer().MustExec("DROP INDEX virtual_machines_tags, virtual_machines_nic_ips, virtual_machines_nic_macs")
	s.Writer().MustExec("TRUNCATE virtual_machines, changes, freshness CASCADE")
	t0 = time.Now()
	apply(t, s, snapshot(id, 0, 10000, 0))
	t.Log("apply no gin", time.Since(t0))
}
