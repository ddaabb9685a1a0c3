package updater

import (
	"runtime/debug"
	"sync"
)

// frugal has the garbage collector run at half the garbage while a cluster of hundreds of rows is applied, and often several
// at once: the database takes the time then, and memory is what is left to save. It does so too while a hundred clusters are
// silent: each takes memory, and nobody much CPU. At other times it would cost a fifth of the CPU.
type frugal struct {
	mu     sync.Mutex
	begun  int
	before int // the usual percentage
}

const (
	frugalItems = 500
	// frugalItemBytes is an average that no Ganeti's objects reach: one of them is a giant, of which there will be copies.
	frugalItemBytes = 64 << 10
	frugalPercent   = 50
)

// begin is to be followed by end.
func (f *frugal) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.begun++; f.begun > 1 {
		return
	}
	f.before = debug.SetGCPercent(frugalPercent)
	if f.before < frugalPercent && f.before >= 0 {
		debug.SetGCPercent(f.before) // the operator's GOGC is stricter
	}
}

func (f *frugal) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.begun--; f.begun == 0 {
		debug.SetGCPercent(f.before)
	}
}
