package api

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// cursors turns the ids of changes into what callers get to see. Who sees everything gets the id and its
// epoch. Who does not gets them sealed: the difference between two ids would tell how much happened that the caller may not see.
type cursors struct{ aead cipher.AEAD }

// newCursors derives the key from a secret, so that updaters with the same one understand each other's cursors.
func newCursors(secret []byte) (*cursors, error) {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("cursors of the API"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("making the key of the cursors: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("making the key of the cursors: %w", err)
	}
	return &cursors{aead}, nil
}

// position is a place in the log of changes: behind the entry with this id, of this epoch; "" when that is not known.
type position struct {
	id    int64
	epoch string
}

func (c *cursors) encode(who caller, p position) string {
	if p.id == 0 {
		return "0"
	}
	plain := strconv.FormatInt(p.id, 10)
	if p.epoch != "" {
		plain += "." + p.epoch
	}
	if !who.restricted() {
		return plain
	}
	// Of one length, so that it does not tell the order of magnitude.
	padded := fmt.Sprintf("%-*s", sealedLength, plain)
	return base64.RawURLEncoding.EncodeToString(c.aead.Seal(nil, nil, []byte(padded), nil)) //nolint:gosec // G407: the AEAD draws its nonces itself
}

// sealedLength has room for every id and epoch.
const sealedLength = 40

// decode reads a cursor; "0" and "" are the beginning for everybody.
func (c *cursors) decode(who caller, cursor string) (position, bool) {
	if cursor == "" || cursor == "0" {
		return position{}, true
	}
	if !who.restricted() {
		return parsePosition(cursor)
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return position{}, false
	}
	plain, err := c.aead.Open(nil, nil, sealed, nil)
	switch {
	case err != nil:
		return position{}, false
	case len(plain) == 8: // as it was before there were epochs
		return position{id: int64(binary.BigEndian.Uint64(plain))}, true //nolint:gosec // what encode made
	}
	return parsePosition(strings.TrimSpace(string(plain)))
}

func parsePosition(text string) (position, bool) {
	number, epoch, _ := strings.Cut(text, ".")
	id, err := strconv.ParseInt(number, 10, 64)
	return position{id, epoch}, err == nil && id >= 0
}
