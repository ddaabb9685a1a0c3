package updater_test

import (
	"testing"

	"go.uber.org/goleak"

	"ganeticache/db/dbtest"
)

func TestMain(m *testing.M) {
	dbtest.Main(m, func() error { return goleak.Find() })
}
