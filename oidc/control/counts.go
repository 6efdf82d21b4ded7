package control

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"sceau/audit"
)

// A Day is one of UTC, as 2006-01-02.
type Day string

// DayOf gives the day of an instant.
func DayOf(t time.Time) Day { return Day(t.UTC().Format(time.DateOnly)) }

// A Dimension is that by which counts are parted.
type Dimension string

// The dimensions. Method is the set of amr, its values in order with a space between them.
const (
	ByDay           Dimension = "day"
	ByEstablishment Dimension = "establishment"
	ByClient        Dimension = "client"
	ByOperation     Dimension = "operation"
	ByMeans         Dimension = "means"
	ByMethod        Dimension = "method"
	ByOutcome       Dimension = "outcome"
)

// Dimensions gives them all, in the order in which answers have them.
func Dimensions() []Dimension {
	return []Dimension{ByDay, ByEstablishment, ByClient, ByOperation, ByMeans, ByMethod, ByOutcome}
}

// other stands for a name that neither the configuration nor a success gave.
const other = "other"

// A cell is all by which an event is counted.
type cell struct {
	Establishment, Client, Operation, Means, Method, Outcome string
}

const (
	// maxCells bounds the cells of one day; beyond it events are counted without client and method.
	maxCells = 4096
	// MaxDays is the longest time of one question, and how far back days are kept.
	MaxDays = 400
)

// Counts counts the events of the OpenID Connect face by day. The zero Counts is ready and empty; it is safe for concurrent use and keeps
// no event. As an audit.Observer it counts what is recorded from now on, by Load what was before.
type Counts struct {
	mu    sync.Mutex
	days  map[Day]map[cell]uint64
	known map[string]bool // "client x", "means y", "establishment z", "method w"
}

var _ audit.Observer = (*Counts)(nil)

// Know says which names the configuration has: those of its establishments, clients, means and amr. It may be told again.
func (c *Counts) Know(i Indicators) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range i.Establishments {
		c.know("establishment", e.Name)
		for _, m := range e.Means {
			c.know("means", m.Name)
			for _, method := range m.Methods {
				c.know("method", method)
			}
		}
		for _, client := range e.Clients {
			c.know("client", client.ID)
			for _, set := range client.AMRSets {
				for _, method := range set {
					c.know("method", method)
				}
			}
		}
	}
}

func (c *Counts) know(what, name string) {
	if c.known == nil {
		c.known = map[string]bool{}
	}
	c.known[what+" "+name] = true
}

// learn takes the names of a success: nobody succeeds with one that is none.
func (c *Counts) learn(establishment, client, means string, methods []string) {
	c.know("establishment", establishment)
	c.know("client", client)
	c.know("means", means)
	for _, method := range methods {
		c.know("method", method)
	}
}

// Load counts what a journal holds: call it with audit.List(dir, audit.Query{Service: audit.ServiceOIDC, Since: …}) before the
// journal is opened for appending, or some is counted twice. It is read twice: first for the names of who succeeded. Records
// that cannot be read are passed over, and their number is told.
func (c *Counts) Load(entries iter.Seq2[*audit.Entry, error]) (unread int, err error) {
	for e, err := range entries {
		if err == nil && e.Service == audit.ServiceOIDC && e.Outcome == audit.Success.String() {
			c.mu.Lock()
			c.learn(e.Establishment, e.Client, e.Means, e.Methods)
			c.mu.Unlock()
		}
	}
	for e, err := range entries {
		var malformed *audit.Error
		switch {
		case errors.As(err, &malformed) && malformed.Reason == audit.Malformed:
			unread++
		case err != nil:
			return unread, err
		case e.Kind == "event" && e.Service == audit.ServiceOIDC:
			c.count(e.Time, e.Establishment, e.Client, e.Operation, e.Means, e.Outcome, e.Methods)
		}
	}
	return unread, nil
}

// Observe implements audit.Observer. What could not be recorded did not happen.
func (c *Counts) Observe(e *audit.Event, err error) {
	if err == nil && e.Service == audit.ServiceOIDC {
		c.count(e.Time, e.Establishment, e.Client, e.Operation, e.Means, e.Outcome.String(), e.Methods)
	}
}

func (c *Counts) count(at time.Time, establishment, client, operation, means, outcome string, methods []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if outcome == audit.Success.String() {
		c.learn(establishment, client, means, methods)
	}
	if !slices.Contains(audit.OIDCOperations(), operation) {
		operation = other
	}
	of := cell{
		Establishment: c.name("establishment", establishment), Client: c.name("client", client), Operation: operation,
		Means: c.name("means", means), Method: c.method(methods), Outcome: strings.Clone(outcome),
	}
	day := DayOf(at)
	cells := c.days[day]
	if cells == nil {
		cells = map[cell]uint64{}
		if c.days == nil {
			c.days = map[Day]map[cell]uint64{}
		}
		c.days[day] = cells
		c.forget()
	}
	if _, there := cells[of]; !there && len(cells) >= maxCells {
		of.Client, of.Method = other, other
	}
	cells[of]++
}

// name gives a name that is known, kept by us: that of an event may alias its request.
func (c *Counts) name(what, name string) string {
	if name == "" || c.known[what+" "+name] {
		return strings.Clone(name)
	}
	return other
}

func (c *Counts) method(methods []string) string {
	set := slices.Clone(methods)
	for i := range set {
		set[i] = c.name("method", set[i])
	}
	slices.Sort(set)
	return strings.Join(slices.Compact(set), " ")
}

// forget drops the oldest days beyond those that can be asked for.
func (c *Counts) forget() {
	for len(c.days) > MaxDays {
		oldest := Day("")
		for day := range c.days {
			if oldest == "" || day < oldest {
				oldest = day
			}
		}
		delete(c.days, oldest)
	}
}

// A Question asks for counts of the days From to To, both included, parted By dimensions; filters that are set must hold.
type Question struct {
	From, To                         Day
	By                               []Dimension
	Operation, Client, Establishment string
	// Least is the least count that is told; less is Withheld. Zero and one tell all.
	Least uint64
}

// A Row is one count, with its value of each dimension that was asked for.
type Row struct {
	Day           Day     `json:"day,omitempty"`
	Establishment *string `json:"establishment,omitempty"`
	Client        *string `json:"client,omitempty"`
	Operation     *string `json:"operation,omitempty"`
	Means         *string `json:"means,omitempty"`
	Method        *string `json:"method,omitempty"`
	Outcome       *string `json:"outcome,omitempty"`
	Count         uint64  `json:"count"`
}

// An Answer is what a Question gets.
type Answer struct {
	From  Day         `json:"from"`
	To    Day         `json:"to"`
	By    []Dimension `json:"by"`
	Least uint64      `json:"least"`
	Rows  []Row       `json:"rows"`
	// Withheld is how many rows are not told, each with less than Least. Total is the sum of those that are.
	Withheld int    `json:"withheld"`
	Total    uint64 `json:"total"`
}

// Check says what is wrong with a question.
func (q *Question) Check() error {
	from, err := time.Parse(time.DateOnly, string(q.From))
	if err != nil {
		return errors.New("from is no day such as 2026-11-21")
	}
	to, err := time.Parse(time.DateOnly, string(q.To))
	if err != nil {
		return errors.New("to is no day such as 2026-11-21")
	}
	if to.Before(from) {
		return errors.New("to is before from")
	}
	if days := to.Sub(from)/(24*time.Hour) + 1; days > MaxDays {
		return fmt.Errorf("more than %d days", MaxDays)
	}
	for i, dimension := range q.By {
		if !slices.Contains(Dimensions(), dimension) {
			return errors.New("by is none of day, establishment, client, operation, means, method and outcome")
		}
		if slices.Contains(q.By[:i], dimension) {
			return errors.New("by has a dimension twice")
		}
	}
	if q.Operation != "" && !slices.Contains(audit.OIDCOperations(), q.Operation) {
		return errors.New("operation is none of " + strings.Join(audit.OIDCOperations(), ", "))
	}
	return nil
}

// Ask answers a question. Its error is that of Check.
func (c *Counts) Ask(q Question) (Answer, error) {
	if err := q.Check(); err != nil {
		return Answer{}, err
	}
	a := Answer{From: q.From, To: q.To, By: append([]Dimension{}, q.By...), Least: max(q.Least, 1), Rows: []Row{}}
	type place struct {
		day Day
		cell
	}
	sums := map[place]uint64{}
	c.mu.Lock()
	for day, cells := range c.days {
		if day < q.From || day > q.To {
			continue
		}
		for of, n := range cells {
			if q.Operation != "" && of.Operation != q.Operation || q.Client != "" && of.Client != q.Client || q.Establishment != "" && of.Establishment != q.Establishment {
				continue
			}
			at := place{day, of}
			for _, d := range Dimensions() {
				if !slices.Contains(q.By, d) {
					at.clear(d)
					if d == ByDay {
						at.day = ""
					}
				}
			}
			sums[at] += n
		}
	}
	c.mu.Unlock()
	for at, n := range sums {
		if n < a.Least {
			a.Withheld++
			continue
		}
		row := Row{Day: at.day, Count: n}
		for _, d := range q.By {
			if to := row.field(d); to != nil {
				*to = at.value(d)
			}
		}
		a.Rows = append(a.Rows, row)
		a.Total += n
	}
	slices.SortFunc(a.Rows, Row.compare)
	return a, nil
}

func (c *cell) field(d Dimension) *string {
	switch d {
	case ByEstablishment:
		return &c.Establishment
	case ByClient:
		return &c.Client
	case ByOperation:
		return &c.Operation
	case ByMeans:
		return &c.Means
	case ByMethod:
		return &c.Method
	case ByOutcome:
		return &c.Outcome
	}
	return nil
}

func (c *cell) clear(d Dimension) {
	if field := c.field(d); field != nil {
		*field = ""
	}
}

func (c *cell) value(d Dimension) *string {
	if field := c.field(d); field != nil {
		value := *field
		return &value
	}
	return nil
}

func (r *Row) field(d Dimension) **string {
	switch d {
	case ByEstablishment:
		return &r.Establishment
	case ByClient:
		return &r.Client
	case ByOperation:
		return &r.Operation
	case ByMeans:
		return &r.Means
	case ByMethod:
		return &r.Method
	case ByOutcome:
		return &r.Outcome
	}
	return nil
}

func (r Row) compare(other Row) int {
	order := cmp.Compare(r.Day, other.Day)
	for _, d := range Dimensions() {
		if a, b := r.field(d), other.field(d); order == 0 && a != nil && *a != nil && *b != nil {
			order = cmp.Compare(**a, **b)
		}
	}
	return order
}
