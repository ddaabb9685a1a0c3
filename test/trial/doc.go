// Package trial holds what the trials of this project share: private PostgreSQL servers that can be stopped, updater
// processes that can be killed, the comparison of a database with the simulated clusters behind it, and the table that
// says what was tried and what was lost.
package trial

import (
	_ "github.com/Shopify/toxiproxy/v2"
	_ "github.com/gofrs/flock"
)
