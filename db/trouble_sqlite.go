package db

import (
	"strings"

	sqlite3 "modernc.org/sqlite/lib"
)

// sqliteTrouble goes by SQLite's result code.
func sqliteTrouble(err error) Trouble {
	switch sqliteCode(err) & 0xff { // without the extended part
	case sqlite3.SQLITE_OK: // no error of SQLite
		return TroubleNone
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return TroubleLocked
	case sqlite3.SQLITE_READONLY:
		return TroubleReadOnly
	case sqlite3.SQLITE_FULL:
		return TroubleFull
	case sqlite3.SQLITE_NOMEM:
		return TroubleMemory
	case sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_CANTOPEN:
		return TroublePermission
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return TroubleCorrupt
	case sqlite3.SQLITE_IOERR:
		return TroubleUnavailable
	case sqlite3.SQLITE_ERROR:
		// The general code; only the words say that a table or column is not there.
		for _, words := range []string{"no such table", "no such column", "has no column named"} {
			if strings.Contains(err.Error(), words) {
				return TroubleSchema
			}
		}
	}
	return TroubleOther
}
