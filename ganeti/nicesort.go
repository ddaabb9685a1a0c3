package ganeti

import (
	"cmp"
	"strings"
)

// CompareNames orders names as Ganeti's answers do: digits count as numbers, so
// that node10 comes after node9 (NiceSort in Ganeti's lib/utils/text.py, but
// for its limit of eight groups).
func CompareNames(a, b string) int {
	for a != "" && b != "" {
		x, y := group(a), group(b)
		a, b = a[len(x):], b[len(y):]
		if x == y {
			continue
		}
		switch numberX, numberY := isDigit(x[0]), isDigit(y[0]); {
		case numberX && numberY:
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
				return c
			}
		case numberX:
			return -1
		case numberY:
			return 1
		default:
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(len(a), len(b))
}

// group returns the digits, or the bytes without digits, with which s begins.
func group(s string) string {
	digits := isDigit(s[0])
	for i := range len(s) {
		if isDigit(s[i]) != digits {
			return s[:i]
		}
	}
	return s
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }
