package ganeti

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The types of this file read one field each, whatever a version of Ganeti
// puts there. A value that cannot be understood reads as unknown: the object
// is kept whole beside the columns, so nothing is lost.

// readScalar consumes one value; a container reads as not ok.
func readScalar(dec *jsontext.Decoder) (tok jsontext.Token, kind jsontext.Kind, err error) {
	switch kind = dec.PeekKind(); kind {
	case '{', '[':
		return jsontext.Null, 'n', dec.SkipValue()
	default:
		tok, err = dec.ReadToken()
		return tok, kind, err
	}
}

// text is a string; numbers and booleans read as their JSON text, null and
// containers as "".
type text string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (t *text) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*t = ""
	tok, kind, err := readScalar(dec)
	if err != nil || kind == 'n' {
		return err
	}
	s := tok.String()
	if len(s) > maxText {
		return errTooLong
	}
	*t = text(storableText(s))
	return nil
}

// storableText replaces the one character PostgreSQL has no place for.
func storableText(s string) string {
	if strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(s, "\x00", "\ufffd")
}

// texts is a list of strings; null elements read as "". A bare value, which
// some versions send for a list of one, is a list of one.
type texts []string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *texts) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*l = nil
	if kind := dec.PeekKind(); kind != '[' {
		var one text
		if err := one.UnmarshalJSONFrom(dec); err != nil || one == "" {
			return err
		}
		*l = texts{string(one)}
		return nil
	}
	list := texts{}
	err := readArrayOf(dec, func() error {
		if len(list) == maxTexts {
			return errTooMany
		}
		var t text
		err := t.UnmarshalJSONFrom(dec)
		list = append(list, string(t))
		return err
	})
	*l = list
	return err
}

// cutText is a text that is cut where it becomes too long for a column.
type cutText string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (t *cutText) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*t = ""
	tok, kind, err := readScalar(dec)
	if err != nil || kind == 'n' {
		return err
	}
	*t = cutText(shorten(storableText(tok.String()), maxText))
	return nil
}

// cutTexts is a list of texts, each as a cutText, that ends where it becomes
// too long.
type cutTexts []string

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *cutTexts) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*l = nil
	if kind := dec.PeekKind(); kind != '[' {
		var one cutText
		if err := one.UnmarshalJSONFrom(dec); err != nil || one == "" {
			return err
		}
		*l = cutTexts{string(one)}
		return nil
	}
	list := cutTexts{}
	err := readArrayOf(dec, func() error {
		if len(list) == maxTexts {
			return dec.SkipValue()
		}
		var t cutText
		err := t.UnmarshalJSONFrom(dec)
		list = append(list, string(t))
		return err
	})
	*l = list
	return err
}

// readArrayOf consumes an array, calling element before each element.
func readArrayOf(dec *jsontext.Decoder, element func() error) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// integer is a whole number, from a number or a numeric string; fractions are
// cut off. "-", which Ganeti prints for unknown, and anything else is unknown.
type integer struct {
	value int64
	known bool
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (n *integer) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*n = integer{}
	tok, kind, err := readScalar(dec)
	if err != nil || kind != '0' && kind != '"' {
		return err
	}
	n.value, n.known = parseInteger(strings.TrimSpace(tok.String()))
	return nil
}

func parseInteger(s string) (int64, bool) {
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		return v, true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f >= math.MaxInt64 || f <= math.MinInt64 {
		return 0, false
	}
	return int64(f), true
}

func (n integer) pointer() *int64 {
	if !n.known {
		return nil
	}
	return &n.value
}

// maxAmount bounds what is added up over all objects, as MiB an exbibyte: a
// million of them still fit a column.
const maxAmount = 1 << 40

// amount is a number that sums are made of. One beyond any that could be true
// is unknown, since it would make the sums of all others fail.
func (n integer) amount() *int64 {
	if n.value > maxAmount || n.value < -maxAmount {
		return nil
	}
	return n.pointer()
}

// integers is a list of whole numbers; unknown elements read as 0 and make
// the list incomplete.
type integers struct {
	values   []int64
	complete bool
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (l *integers) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*l = integers{}
	if dec.PeekKind() != '[' {
		return dec.SkipValue()
	}
	l.values, l.complete = []int64{}, true
	return readArrayOf(dec, func() error {
		var n integer
		err := n.UnmarshalJSONFrom(dec)
		l.values = append(l.values, n.value)
		l.complete = l.complete && n.known
		return err
	})
}

// sum returns nil unless every element is known, and they make sense together.
func (l *integers) sum() *int64 {
	if !l.complete {
		return nil
	}
	var sum int64
	for _, v := range l.values {
		if v < 0 || v > maxAmount-sum {
			return nil
		}
		sum += v
	}
	return &sum
}

// boolean is a truth value, from true, false, their names, or a number.
type boolean struct{ value, known bool }

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (b *boolean) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*b = boolean{}
	tok, _, err := readScalar(dec)
	if err != nil {
		return err
	}
	switch s := tok.String(); strings.ToLower(s) {
	case "true":
		*b = boolean{value: true, known: true}
	case "false":
		*b = boolean{known: true}
	default:
		n, ok := parseInteger(s)
		*b = boolean{value: n != 0, known: ok}
	}
	return nil
}

func (b boolean) pointer() *bool {
	if !b.known {
		return nil
	}
	return &b.value
}

// moment is a time: seconds since 1970 as a number, or a job's pair of
// seconds and microseconds.
type moment struct {
	at    time.Time
	known bool
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (m *moment) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*m = moment{}
	if dec.PeekKind() == '[' {
		var pair []integer
		if err := json.UnmarshalDecode(dec, &pair); err != nil {
			return err
		}
		if len(pair) == 2 && pair[0].known && pair[1].known {
			*m = momentOf(pair[0].value, pair[1].value)
		}
		return nil
	}
	tok, kind, err := readScalar(dec)
	if err != nil || kind != '0' && kind != '"' {
		return err
	}
	if sec, usec, ok := parseSeconds(tok.String()); ok {
		*m = momentOf(sec, usec)
	}
	return nil
}

// momentOf refuses what no database stores as a time, and 0, which old versions send for objects that were made before
// they kept times.
func momentOf(sec, usec int64) moment {
	const firstSecond, lastSecond = -62135596800, 253402300799 // of the years 1 and 9999
	if sec == 0 && usec == 0 || sec < firstSecond || sec > lastSecond || usec < 0 || usec > 999_999 {
		return moment{}
	}
	return moment{at: time.Unix(sec, usec*1000).UTC(), known: true}
}

// parseSeconds reads decimal seconds to the nearest microsecond. Going through
// a float64 would lose some: it holds today's seconds to a quarter of one.
func parseSeconds(s string) (sec, usec int64, ok bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || sec < 0 || strings.Trim(fraction, "0123456789") != "" {
		return parseFloatSeconds(s)
	}
	digits := (fraction + "0000000")[:7]
	tenths, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	usec = (tenths + 5) / 10
	return sec + usec/1e6, usec % 1e6, true
}

// parseFloatSeconds reads the forms Ganeti does not use: exponents, signs.
func parseFloatSeconds(s string) (sec, usec int64, ok bool) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > 1e12 {
		return 0, 0, false
	}
	whole := math.Floor(f)
	usec = int64(math.Round((f - whole) * 1e6))
	return int64(whole) + usec/1e6, usec % 1e6, true
}

func (m moment) pointer() *time.Time {
	if !m.known {
		return nil
	}
	return &m.at
}
