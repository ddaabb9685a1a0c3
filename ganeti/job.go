package ganeti

import (
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Job is an item of /2/jobs?bulk=1.
type Job struct {
	// ID is the job's number as decimal text.
	ID string
	// Name is the first summary: what the job does and to whom.
	Name string
	// Status is queued, waiting, running, canceling, canceled, success or
	// error; "" for a job that Ganeti has archived meanwhile.
	Status string
	// Summary has one text per opcode, like INSTANCE_CREATE(web1). A text of
	// more than 1,024 bytes is cut.
	Summary                        []string
	ReceivedAt, StartedAt, EndedAt *time.Time
}

type jobWire struct {
	ID         jobID   `json:"id"`
	Status     text    `json:"status"`
	Summary    summary `json:"summary"`
	ReceivedAt moment  `json:"received_ts"`
	StartedAt  moment  `json:"start_ts"`
	EndedAt    moment  `json:"end_ts"`
	// URI is what a reference has in place of all of these.
	URI text `json:"uri"`
}

// jobID is a whole number, from 0 on; before Ganeti 2.7 it was sent as a string.
type jobID struct {
	number int64
	proper bool
	found  string
}

// UnmarshalJSONFrom takes whatever comes; DecodeJob judges it.
func (id *jobID) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*id = jobID{}
	tok, kind, err := readScalar(dec)
	if err != nil {
		return err
	}
	s := tok.String()
	id.found = kindName(kind) + " " + plain(s, 40)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 && (kind == '0' || kind == '"') {
		id.number, id.proper = n, true
	}
	return nil
}

// summary is a list of texts made for reading; a long one is cut, not refused.
type summary []string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *summary) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*l = nil
	if dec.PeekKind() != '[' {
		return dec.SkipValue()
	}
	return readArrayOf(dec, func() error {
		tok, kind, err := readScalar(dec)
		if err != nil {
			return err
		}
		s := ""
		if kind != 'n' {
			s = shorten(storableText(tok.String()), maxText)
		}
		*l = append(*l, s)
		return nil
	})
}

// DecodeJob reads an item of /2/jobs?bulk=1. It fails only for an item that is
// not a JSON object, has no whole number as its id, a status too long for a
// column, or is a reference, which Ganeti sends where it does not know bulk=1
// (before 2.5); the error names the field.
func DecodeJob(raw []byte) (Job, error) {
	w, err := decode[jobWire](raw)
	if err != nil {
		return Job{}, err
	}
	if !w.ID.proper {
		if w.ID.found == "" {
			w.ID.found = "nothing"
		}
		return Job{}, fmt.Errorf("id: a whole number from 0 on is needed, found %s", w.ID.found)
	}
	if w.URI != "" && w.Status == "" && w.Summary == nil {
		return Job{}, fmt.Errorf("status: is missing; this is a reference to %s, because this version of Ganeti lists jobs without their details", plain(string(w.URI), 40))
	}
	j := Job{
		ID:         strconv.FormatInt(w.ID.number, 10),
		Status:     string(w.Status),
		Summary:    w.Summary,
		ReceivedAt: w.ReceivedAt.pointer(),
		StartedAt:  w.StartedAt.pointer(),
		EndedAt:    w.EndedAt.pointer(),
	}
	if len(j.Summary) > 0 {
		j.Name = j.Summary[0]
	}
	return j, nil
}
