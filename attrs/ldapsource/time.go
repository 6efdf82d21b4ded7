package ldapsource

import (
	"errors"
	"strings"
	"time"
)

var errTime = errors.New("not one time of syntax GeneralizedTime")

// time reads the one value of an attribute of syntax GeneralizedTime; the zero time if there is none.
func (e *entry) time(attribute string) (time.Time, error) {
	if attribute == "" {
		return time.Time{}, nil
	}
	switch values := e.get(attribute); len(values) {
	case 0:
		return time.Time{}, nil
	case 1:
		return parseGeneralizedTime(values[0])
	}
	return time.Time{}, errTime
}

// parseGeneralizedTime reads a time as RFC 4517 section 3.3.13 writes it: year to hour, minutes and seconds that may be left out,
// a fraction of seconds, and a zone, which LDAP demands. A fraction of minutes or hours is refused: no directory writes one.
func parseGeneralizedTime(s string) (time.Time, error) {
	digits := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	var layout string
	switch digits {
	case len("2006010215"):
		layout = "2006010215"
	case len("200601021504"):
		layout = "200601021504"
	case len("20060102150405"):
		layout = "20060102150405" // time.Parse takes a fraction after it
	default:
		return time.Time{}, errTime
	}
	zone := "Z0700"
	if sign := strings.LastIndexAny(s, "+-"); sign >= 0 && len(s)-sign == len("+01") {
		zone = "Z07"
	}
	t, err := time.Parse(layout+zone, s)
	// The zero time would mean that there is no bound.
	if err != nil || t.IsZero() {
		return time.Time{}, errTime // without the value
	}
	return t.UTC(), nil
}
