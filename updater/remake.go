package updater

import (
	"strings"

	"ganeticache/db"
	"ganeticache/ganeti"
)

// storedForm is the version of what is stored of an object. Raise it when a kind's columns are made in another way from the
// same object, or when more is hidden: updaters then bring the stored rows up to date ([db.Store.Backfill]).
const storedForm = "3"

// NewRemaker makes rows of earlier versions anew from their info. It is nil-safe like r: nil is the built-in list.
func NewRemaker(r *ganeti.Redactor) db.Remaker { return remaker{r} }

type remaker struct{ redact *ganeti.Redactor }

// Name implements [db.Remaker]: a longer list of hidden names is another form of what is stored.
func (m remaker) Name() string { return "form " + storedForm + ", hidden " + m.redact.Fingerprint() }

// Row implements [db.Remaker].
func (m remaker) Row(name db.Kind, info db.JSON) (db.Row, error) {
	k, ok := kindOf(name)
	if !ok {
		return nil, db.ErrNotFound
	}
	stored, err := m.redact.Storable(info)
	if err != nil {
		return nil, err
	}
	row, err := k.row(info)
	if err != nil {
		return nil, err
	}
	row.Base().Info = stored
	return row, nil
}

// Info implements [db.Remaker].
func (m remaker) Info(info db.JSON) (db.JSON, error) { return m.redact.Storable(info) }

// Fields implements [db.Remaker].
func (m remaker) Fields(fields db.JSON) (db.JSON, error) { return m.redact.StorableFields(fields) }

// Raw implements [db.Remaker].
func (m remaker) Raw(raw string) string {
	if strings.TrimSpace(raw) == "" {
		return raw
	}
	return m.redact.StorableStart(raw)
}
