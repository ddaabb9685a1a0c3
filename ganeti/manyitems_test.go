package ganeti_test

import (
	"errors"
	"strings"
	"testing"

	"ganeticache/ganeti"
)

// TestReadArray_ManyItems: an answer has no more items than objects of Ganeti fit into the largest one.
func TestReadArray_ManyItems(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		items int
		limit int64
		fits  bool
	}{
		{10_000, 1 << 20, true}, {10_001, 1 << 20, false}, {32_768, 8 << 20, true}, {32_769, 8 << 20, false},
	} {
		body := "[1" + strings.Repeat(",1", tt.items-1) + "]"
		d, err := ganeti.ReadArray(strings.NewReader(body), nil, tt.limit, nil)
		switch {
		case tt.fits && (err != nil || d.Items != tt.items):
			t.Errorf("%d items of at most %d bytes: %v", tt.items, tt.limit, err)
		case !tt.fits && !errors.Is(err, ganeti.ErrTooLarge):
			t.Errorf("%d items of at most %d bytes: %v, want ErrTooLarge", tt.items, tt.limit, err)
		}
	}
}
