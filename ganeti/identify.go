package ganeti

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

var errNoObject = errors.New("not a JSON object")

// Identify reads who an item is that could not be decoded: its uuid (or a
// job's id as decimal text) and its name (a job's first summary). The key is ""
// unless it is a proper one and the whole item is JSON: where the brackets are
// wrong, nobody can tell whether the item has swallowed its neighbours, and no
// key may vouch for them. The name is for showing only.
func Identify(raw []byte) (key, name string) {
	if repaired, err := repair(raw); err == nil {
		raw = repaired
	}
	var p person
	err := p.read(jsontext.NewDecoder(bytes.NewReader(raw), lenient()))
	switch {
	case err != nil:
	case p.uuid.check("uuid", maxUUID) == nil:
		key = p.uuid.text
	case p.uuid == identity{} && p.id.proper:
		key = strconv.FormatInt(p.id.number, 10)
	}
	return key, p.name
}

// person is what Identify looks for.
type person struct {
	uuid identity
	id   jobID
	name string
}

// read consumes an object, which has to be all there is.
func (p *person) read(dec *jsontext.Decoder) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if tok.Kind() != '{' {
		return errNoObject
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if err := p.member(name.String(), dec); err != nil {
			return err
		}
	}
	if _, err = dec.ReadToken(); err != nil {
		return err
	}
	if _, err = dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errNoObject
	}
	return nil
}

func (p *person) member(name string, dec *jsontext.Decoder) error {
	switch name {
	case "uuid":
		return p.uuid.UnmarshalJSONFrom(dec)
	case "id":
		return p.id.UnmarshalJSONFrom(dec)
	case "name":
		tok, kind, err := readScalar(dec)
		if err == nil && kind != 'n' {
			p.name = plain(tok.String(), maxName)
		}
		return err
	case "summary":
		var said summary
		err := said.UnmarshalJSONFrom(dec)
		if err == nil && len(said) > 0 {
			p.name = plain(said[0], maxName)
		}
		return err
	default:
		return dec.SkipValue()
	}
}
