package registry

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"time"

	"sceau/attrs"
)

// Times without bound, as they stand in the file.
const (
	sinceEver = math.MinInt64
	forEver   = math.MaxInt64
)

var (
	errNothingImported = errors.New("nothing was ever imported")
	errNoState         = errors.New("the file does not say which registry it is")
	errForeignTime     = errors.New("a time in the file is out of range")
)

// Resolve implements attrs.Source: one SQL statement for all definitions and subjects of the query.
func (r *Registry) Resolve(ctx context.Context, q *attrs.Query, dst []attrs.Certified) ([]attrs.Certified, error) {
	questions := make([][3]string, len(q.Definitions))
	for i, d := range q.Definitions {
		subject, err := q.Subject(d)
		if err != nil {
			return dst, err
		}
		questions[i] = [3]string{string(subject.Type), subject.Value, d.Name}
	}
	facts, err := r.read(ctx, questions, q.At)
	if err != nil {
		return dst, attrs.Unavailable(ctx, r.config.ID, err)
	}
	before, now := len(dst), r.config.Now()
	for i, d := range q.Definitions {
		c, err := attrs.Certify(d, facts[i], q.At)
		if err != nil {
			return dst[:before], &attrs.Error{Reason: attrs.BadAnswer, Source: r.config.ID, Attribute: d.Name, Err: err}
		}
		c.Source, c.RetrievedAt = r.config.ID, now
		dst = append(dst, c)
	}
	return dst, nil
}

// read gives the facts about each question that have not ended at the instant.
func (r *Registry) read(ctx context.Context, questions [][3]string, at time.Time) ([][]attrs.Fact, error) {
	asked, err := json.Marshal(questions)
	if err != nil {
		return nil, err
	}
	for {
		v := r.view.Load()
		if v.down != nil {
			return nil, v.down
		}
		facts, err := v.reader.read(ctx, string(asked), len(questions), at)
		if err != nil && ctx.Err() == nil && r.view.Load().reader != v.reader {
			continue // another file took the place of the one that was closed under the query
		}
		return facts, err
	}
}

func (f *reader) read(ctx context.Context, asked string, questions int, at time.Time) ([][]attrs.Fact, error) {
	rows, err := f.facts.QueryContext(ctx, asked, at.UnixMicro())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	facts := make([][]attrs.Fact, questions)
	looked := false
	for rows.Next() {
		var question, from, to int64
		var value string
		if err := rows.Scan(&question, &value, &from, &to); err != nil {
			return nil, err
		}
		switch {
		case question < 0: // the state, which comes first
			if from == 0 {
				return nil, errNothingImported
			}
			looked = true
		case !looked || question >= int64(len(facts)):
			return nil, errNoState
		default:
			f := attrs.Fact{Value: value}
			if f.NotBefore, f.NotOnOrAfter, err = bounds(from, to); err != nil {
				return nil, err
			}
			facts[question] = append(facts[question], f)
		}
	}
	if err := rows.Err(); err != nil { // a result that breaks off is not a short result
		return nil, err
	}
	if !looked {
		return nil, errNoState
	}
	return facts, nil
}

// bounds turns times of the file into times.
func bounds(from, to int64) (notBefore, notOnOrAfter time.Time, err error) {
	if from != sinceEver {
		if notBefore = time.UnixMicro(from).UTC(); !inRange(notBefore) {
			return time.Time{}, time.Time{}, errForeignTime
		}
	}
	if to != forEver {
		if notOnOrAfter = time.UnixMicro(to).UTC(); !inRange(notOnOrAfter) {
			return time.Time{}, time.Time{}, errForeignTime
		}
	}
	return notBefore, notOnOrAfter, nil
}

// inRange says whether the time can be written in RFC 3339 and is not the zero time, which means no bound.
func inRange(t time.Time) bool { return !t.IsZero() && t.Year() >= 1 && t.Year() <= 9999 }
