package updater

import (
	"cmp"
	"context"

	"ganeticache/db"
)

// stillDuplicate says whether a cluster that was refused because it has another name is to be refused again, before it is
// asked for everything.
func (r *run) stillDuplicate(ctx context.Context) error {
	if r.fresh[db.KindCluster].ErrorReason != reasonDuplicate {
		return nil
	}
	return r.single(ctx, r.t.row.UUID)
}

// single refuses a Ganeti cluster that is cached under another name.
func (r *run) single(ctx context.Context, uuid string) error {
	row := r.t.row
	row.Name, row.AllowDuplicate = cmp.Or(row.Name, r.res.Cluster), row.AllowDuplicate || r.t.cluster.AllowDuplicate
	if err := r.u.opts.Store.Twin(ctx, row, uuid); err != nil {
		return storing(err)
	}
	return nil
}

// pretendSingle is single for a dry run, which leaves no uuid behind that the next name could be refused for.
func (r *run) pretendSingle(ctx context.Context, uuid string) error {
	row := &r.t.row
	if err := r.single(ctx, uuid); err != nil || !r.u.opts.DryRun || row.UUID != "" || row.AllowDuplicate || r.t.cluster.AllowDuplicate {
		return err
	}
	if first, others := r.u.pretended.LoadOrStore(uuid, r.res.Cluster); others && first != r.res.Cluster {
		name, _ := first.(string)
		return &db.DuplicateError{Name: r.res.Cluster, Twin: name, UUID: uuid}
	}
	return nil
}

// unknownAddress is where a cluster answers whose uuid is not known yet; the zero address when it is.
func unknownAddress(c Cluster, row *db.Cluster) db.RAPIAddress {
	switch {
	case row.UUID != "":
		return db.RAPIAddress{}
	case row.ID != 0:
		return db.RAPIAddress{Host: row.RAPIHost, Port: row.RAPIPort}.Key()
	}
	s, err := c.Settings()
	if err != nil {
		return db.RAPIAddress{}
	}
	addresses, err := s.Addresses()
	if err != nil {
		return db.RAPIAddress{}
	}
	return db.RAPIAddress(addresses[0]).Key()
}

// queues parts the names of clusters that are to be refreshed at once. Those at one address that were never asked come one
// after the other: if they are one Ganeti cluster, the name that is listed first gets it.
func (u *Updater) queues(names []string) [][]string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var queues [][]string
	at := map[db.RAPIAddress]int{}
	for _, name := range names {
		t := u.targets[name]
		if t == nil {
			continue // gone again in a newer reload, which follows
		}
		place, found := at[t.unknownAt]
		if found && t.unknownAt.Host != "" {
			queues[place] = append(queues[place], name)
			continue
		}
		at[t.unknownAt] = len(queues)
		queues = append(queues, []string{name})
	}
	return queues
}
