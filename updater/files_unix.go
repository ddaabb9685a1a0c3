//go:build unix

package updater

import "syscall"

// filesAllowed is how many files and connections the process may have open.
func filesAllowed() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > 1<<20 {
		return 1 << 20
	}
	return int(limit.Cur) // a million at most; some systems have it signed
}
