package db

import (
	"bytes"
	"iter"
)

// aheadItems is how many items are handed over at a time: of VMs some 300 KB.
const aheadItems = 100

// ahead runs items in a goroutine of its own, a batch ahead of who takes them: the next rows are decoded while the database
// works on the last ones. prepare is run on each item there. What an item holds belongs to it, also after the next one
// was asked for. The goroutine has ended when the returned sequence has; its panic is the taker's.
func ahead(items iter.Seq[Item], prepare func(Item)) iter.Seq[Item] {
	return func(yield func(Item) bool) {
		batches, stop, ended := make(chan []Item), make(chan struct{}), make(chan any, 1)
		go func() {
			defer close(batches)
			defer func() { ended <- recover() }()
			produce(items, prepare, batches, stop)
		}()
		taken := false
		defer func() { // also after a panic of the taker's own
			close(stop)
			if p := <-ended; p != nil && taken {
				panic(p)
			}
		}()
		taken = takeAll(batches, yield)
	}
}

// produce fills batches until the items end or nobody takes them any more.
func produce(items iter.Seq[Item], prepare func(Item), batches chan<- []Item, stop <-chan struct{}) {
	send := func(batch []Item) bool {
		select {
		case batches <- batch:
			return true
		case <-stop:
			return false
		}
	}
	batch := make([]Item, 0, aheadItems)
	for item := range items {
		if item.Row != nil {
			base := item.Row.Base()
			base.Info = bytes.Clone(base.Info)
		}
		item.Raw = bytes.Clone(item.Raw)
		prepare(item)
		if batch = append(batch, item); len(batch) < aheadItems {
			continue
		}
		if !send(batch) {
			return
		}
		batch = make([]Item, 0, aheadItems)
	}
	send(batch)
}

// takeAll reports whether all batches were taken to their end.
func takeAll(batches <-chan []Item, yield func(Item) bool) bool {
	for batch := range batches {
		for _, item := range batch {
			if !yield(item) {
				return false
			}
		}
	}
	return true
}
