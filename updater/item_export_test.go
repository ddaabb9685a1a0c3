package updater

import (
	"ganeticache/db"
	"ganeticache/ganeti"
)

// Items is what a refresh makes of a resource's items before the store sees them.
type Items struct{ kind }

// ItemsOf are those of a kind.
func ItemsOf(name db.Kind) Items {
	for _, k := range kinds() {
		if k.name == name {
			return Items{k}
		}
	}
	return Items{}
}

// Resource is where RAPI lists them.
func (i Items) Resource() ganeti.Resource { return i.resource }

// Item makes one of its bytes.
func (i Items) Item(raw []byte) db.Item { return i.item(raw) }
