package soap_test

import (
	"testing"
	"time"

	"sceau/internal/testpki"
	"sceau/soap"
)

// TestTimestamp is attacks.md R3 and the rules of BSP section 6.
func TestTimestamp(t *testing.T) {
	const c, x = "2026-11-21T20:00:00.000Z", "2026-11-21T20:01:00.000Z"
	wrap := func(content string) string { return `<wsu:Timestamp wsu:Id="TS">` + content + `</wsu:Timestamp>` }
	created, expires := `<wsu:Created>`+c+`</wsu:Created>`, `<wsu:Expires>`+x+`</wsu:Expires>`
	for name, v := range map[string]struct {
		timestamp string
		reason    soap.Reason // zero: admitted
		rule      string
	}{
		"milliseconds":                 {timestamp(c, x), 0, ""},
		"seconds":                      {timestamp("2026-11-21T20:00:00Z", "2026-11-21T20:05:00Z"), 0, ""},
		"seven digits":                 {timestamp("2026-11-21T20:00:00.1234567Z", "2026-11-21T20:01:00.1234567Z"), 0, ""},
		"nine digits":                  {timestamp("2026-11-21T20:00:00.123456789Z", x), 0, ""},
		"ten digits":                   {timestamp("2026-11-21T20:00:00.1234567890Z", x), soap.BadTimestamp, ""},
		"no digit after the point":     {timestamp("2026-11-21T20:00:00.Z", x), soap.BadTimestamp, ""},
		"comma":                        {timestamp("2026-11-21T20:00:00,5Z", x), soap.BadTimestamp, ""},
		"zone +01:00":                  {timestamp("2026-11-21T21:00:00.000+01:00", "2026-11-21T21:01:00.000+01:00"), 0, ""},
		"zone +0100":                   {timestamp("2026-11-21T21:00:00.000+0100", "2026-11-21T21:01:00.000+0100"), 0, ""},
		"zone -05:30":                  {timestamp("2026-11-21T14:30:00.000-05:30", x), 0, ""},
		"zone -14:00":                  {timestamp("2026-11-21T06:00:00-14:00", x), 0, ""},
		"zone +14:01":                  {timestamp("2026-11-22T10:01:00+14:01", x), soap.BadTimestamp, ""},
		"zone +01:60":                  {timestamp("2026-11-21T21:00:00+01:60", x), soap.BadTimestamp, ""},
		"zone +01":                     {timestamp("2026-11-21T21:00:00+01", x), soap.BadTimestamp, ""},
		"local time":                   {timestamp("2026-11-21T20:00:00.000", x), soap.BadTimestamp, ""},
		"local Expires":                {timestamp(c, "2026-11-21T20:01:00.000"), soap.BadTimestamp, ""},
		"zone z":                       {timestamp("2026-11-21T20:00:00z", x), soap.BadTimestamp, ""},
		"t":                            {timestamp("2026-11-21t20:00:00Z", x), soap.BadTimestamp, ""},
		"space for T":                  {timestamp("2026-11-21 20:00:00Z", x), soap.BadTimestamp, ""},
		"date only":                    {timestamp("2026-11-21Z", x), soap.BadTimestamp, ""},
		"no seconds":                   {timestamp("2026-11-21T20:00Z", x), soap.BadTimestamp, ""},
		"second 60":                    {timestamp("2026-11-21T19:59:60Z", x), soap.BadTimestamp, ""},
		"second 60 of Expires":         {timestamp(c, "2026-11-21T20:00:60Z"), soap.BadTimestamp, ""},
		"minute 60":                    {timestamp("2026-11-21T19:60:00Z", x), soap.BadTimestamp, ""},
		"hour 24":                      {timestamp("2026-11-20T24:00:00Z", x), soap.BadTimestamp, ""},
		"month 13":                     {timestamp("2026-13-21T20:00:00Z", x), soap.BadTimestamp, ""},
		"month 0":                      {timestamp("2026-00-21T20:00:00Z", x), soap.BadTimestamp, ""},
		"30 February":                  {timestamp("2026-02-30T20:00:00Z", x), soap.BadTimestamp, ""},
		"29 February of no leap year":  {timestamp("2026-02-29T20:00:00Z", x), soap.BadTimestamp, ""},
		"year 10000":                   {timestamp(c, "10000-01-01T00:00:00Z"), soap.BadTimestamp, ""},
		"year 9999":                    {timestamp(c, "9999-12-31T23:59:59.999999999Z"), soap.BadTimestamp, ""},
		"year 0":                       {timestamp("0000-01-01T00:00:00Z", x), soap.BadTimestamp, ""},
		"negative year":                {timestamp("-2026-11-21T20:00:00Z", x), soap.BadTimestamp, ""},
		"signed year":                  {timestamp("+2026-11-21T20:00:00Z", x), soap.BadTimestamp, ""},
		"Thai year":                    {timestamp("2569-11-21T20:00:00Z", "2569-11-21T20:01:00Z"), soap.NotYetValid, ""},
		"Thai digits":                  {timestamp("๒๐๒๖-๑๑-๒๑T๒๐:๐๐:๐๐Z", x), soap.BadTimestamp, ""},
		"Arabic digits":                {timestamp("٢٠٢٦-١١-٢١T٢٠:٠٠:٠٠Z", x), soap.BadTimestamp, ""},
		"white space around":           {timestamp("\n "+c+"\t", " "+x+"\r\n"), 0, ""},
		"no-break space around":        {timestamp("\u00a0"+c, x), soap.BadTimestamp, ""},
		"comment in Created (D1)":      {timestamp("2026-11-21T20:00<!-- -->:00.000Z", x), 0, ""},
		"comment cuts Created (D1)":    {timestamp(c+"<!-- -->0", x), soap.BadTimestamp, ""},
		"CDATA":                        {timestamp("<![CDATA["+c+"]]>", x), 0, ""},
		"reference":                    {timestamp("&#50;026-11-21T20:00:00.000Z", x), 0, ""},
		"element in Created":           {timestamp(c+"<a/>", x), soap.BadTimestamp, ""},
		"empty Created":                {timestamp("", x), soap.BadTimestamp, ""},
		"empty Expires":                {timestamp(c, ""), soap.BadTimestamp, ""},
		"Created after Expires":        {timestamp(x, c), soap.BadTimestamp, "R3221"},
		"Created is Expires":           {timestamp(c, c), soap.BadTimestamp, "R3221"},
		"no Expires":                   {wrap(created), soap.BadTimestamp, ""},
		"no Created":                   {wrap(expires), soap.BadTimestamp, "R3203"},
		"empty":                        {wrap(""), soap.BadTimestamp, "R3203"},
		"two Created":                  {wrap(created + created + expires), soap.BadTimestamp, "R3203"},
		"Created, Expires, Created":    {wrap(created + expires + created), soap.BadTimestamp, "R3203"},
		"two Expires":                  {wrap(created + expires + expires), soap.BadTimestamp, "R3224"},
		"Expires first":                {wrap(expires + created), soap.BadTimestamp, "R3203"},
		"another element":              {wrap(created + expires + "<a/>"), soap.BadTimestamp, "R3222"},
		"another element between":      {wrap(created + "<a/>" + expires), soap.BadTimestamp, "R3222"},
		"another element first":        {wrap("<a/>" + created + expires), soap.BadTimestamp, "R3203"},
		"text":                         {wrap(created + "x" + expires), soap.BadTimestamp, "R3222"},
		"comments and space":           {wrap(" <!-- --> " + created + "\n" + expires), 0, ""},
		"Created of another namespace": {wrap(`<x:Created xmlns:x="urn:x">` + c + `</x:Created>` + expires), soap.BadTimestamp, "R3203"},
		"ValueType of Created":         {wrap(`<wsu:Created ValueType="xsd:dateTime">` + c + `</wsu:Created>` + expires), soap.BadTimestamp, "R3225"},
		"ValueType of Expires":         {wrap(created + `<wsu:Expires ValueType="xsd:dateTime">` + x + `</wsu:Expires>`), soap.BadTimestamp, "R3226"},
		"from the future":              {timestamp("2026-11-21T20:01:00.001Z", "2026-11-21T20:02:00Z"), soap.NotYetValid, ""},
		"from the past":                {timestamp("2026-11-21T19:58:00Z", "2026-11-21T19:59:00Z"), soap.Expired, ""},
		"lives too long":               {timestamp(c, "2026-11-21T20:10:00.001Z"), soap.BadTimestamp, ""},
		"from the past, lives long":    {timestamp("2026-11-20T20:00:00Z", "2026-11-22T20:00:00Z"), soap.BadTimestamp, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDraft()
			d.timestamp = v.timestamp
			err := judged(t, d.sign(t))
			if v.reason == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, err, v.reason, v.rule)
		})
	}
}

// TestFreshnessEdges stands at each edge, to the nanosecond.
func TestFreshnessEdges(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const c, x = "2026-11-21T20:00:00.000000001Z", "2026-11-21T20:01:00.000000001Z"
	for name, v := range map[string]struct {
		created, expires string
		now              time.Time
		skew, lifetime   time.Duration
		reason           soap.Reason
	}{
		"ahead by the skew":         {c, x, at(c).Add(-time.Minute), time.Minute, time.Hour, 0},
		"ahead by more":             {c, x, at(c).Add(-time.Minute - 1), time.Minute, time.Hour, soap.NotYetValid},
		"last moment":               {c, x, at(x).Add(time.Minute - 1), time.Minute, time.Hour, 0},
		"ended":                     {c, x, at(x).Add(time.Minute), time.Minute, time.Hour, soap.Expired},
		"no skew, first moment":     {c, x, at(c), 0, time.Hour, 0},
		"no skew, before":           {c, x, at(c).Add(-1), 0, time.Hour, soap.NotYetValid},
		"no skew, last moment":      {c, x, at(x).Add(-1), 0, time.Hour, 0},
		"no skew, ended":            {c, x, at(x), 0, time.Hour, soap.Expired},
		"the longest life":          {c, x, at(c), 0, time.Minute, 0},
		"a longer life":             {c, x, at(c), 0, time.Minute - 1, soap.BadTimestamp},
		"a nanosecond of life":      {c, "2026-11-21T20:00:00.000000002Z", at(c), 0, time.Minute, 0},
		"no life":                   {c, c, at(c), 0, time.Minute, soap.BadTimestamp},
		"zones are no difference":   {"2026-11-21T21:00:00.000000001+01:00", x, at(c), 0, time.Minute, 0},
		"receiver in another zone":  {c, x, at(c).In(time.FixedZone("", -11*3600)), 0, time.Minute, 0},
		"negative skew is no grace": {c, x, at(c), -time.Second, time.Minute, soap.NotYetValid},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDraft()
			d.timestamp = timestamp(v.created, v.expires)
			p := policy()
			p.Timestamp = soap.TimestampPolicy{MaxLifetime: v.lifetime, Skew: v.skew}
			err := judge(t, d.sign(t), config(), p, trust(&testpki.Load().AliceEIDP256), v.now)
			if v.reason != 0 {
				rule := ""
				if v.created == v.expires {
					rule = "R3221"
				}
				refused(t, err, v.reason, rule)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if want := at(v.expires).Add(v.skew); !p.Replay.(*counter).until.Equal(want) {
				t.Errorf("remembered until %v, want %v", p.Replay.(*counter).until, want)
			}
		})
	}
}

func TestSignedTimes(t *testing.T) {
	e, err := soap.Parse(newDraft().sign(t), config())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Release()
	s, err := e.Verify(policy(), trust(&testpki.Load().AliceEIDP256), testpki.Now())
	if err != nil {
		t.Fatal(err)
	}
	if !s.Created().Equal(testpki.Now()) {
		t.Error(s.Created())
	}
}
