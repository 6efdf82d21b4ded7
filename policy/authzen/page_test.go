package authzen

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"sceau/attrs"
	"sceau/audit"
	"sceau/policy/cedar"
)

// records is the fixture of the certification with these entities in the place of its own.
func records(t testing.TB, entities string, resources ...Resource) *service {
	files := fstest.MapFS{"entities.json": {Data: []byte("[" + entities + "]")}}
	for _, name := range []string{"record.cedar", "record.cedarschema"} {
		text, err := os.ReadFile("testdata/certification/" + name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: text}
	}
	return serve(t, files, resources...)
}

func entity(kind, id, attributes string) string {
	return fmt.Sprintf(`{"uid": {"type": %q, "id": %q}, "attrs": {%s}, "parents": []}`, kind, id, attributes)
}

// many gives entities of a type, of which those at every n-th place have the attributes.
func many(kind string, count, every int, attributes string) string {
	list := make([]string, count)
	for i := range list {
		has := ""
		if i%every == 0 {
			has = attributes
		}
		list[i] = entity(kind, fmt.Sprintf("%s-%04d", kind, i), has)
	}
	return strings.Join(list, ",")
}

// What a search finds, by its page.
type paged struct {
	ids   []string
	page  map[string]any // nil: no page
	token string
}

func (s *service) page(t testing.TB, operation, question, page string, change ...func(*http.Request)) paged {
	t.Helper()
	body := strings.TrimSuffix(question, "}")
	if page != "" {
		body += `, "page": ` + page
	}
	status, answer, _ := s.post(t, "/access/v1/search/"+operation, body+"}", change...)
	if status != http.StatusOK {
		t.Fatalf("%s %s: status %d", question, page, status)
	}
	var p paged
	p.ids = strings.Fields(found(answer))
	if p.page, _ = answer["page"].(map[string]any); p.page != nil {
		p.token = p.page["next_token"].(string)
		if p.page["count"] != float64(len(p.ids)) {
			t.Errorf("count %v of %d results", p.page["count"], len(p.ids))
		}
	}
	return p
}

// walk goes through all pages as the specification says, with the limit in the first request alone. Each page is at most limit results.
func (s *service) walk(t testing.TB, operation, question string, limit int) (ids []string, pages []paged) {
	t.Helper()
	for page := fmt.Sprintf(`{"limit": %d}`, limit); ; {
		p := s.page(t, operation, question, page)
		if p.page == nil || len(p.ids) > limit {
			t.Fatalf("page %v with %d results instead of up to %d", p.page, len(p.ids), limit)
		}
		ids, pages = append(ids, p.ids...), append(pages, p)
		if p.token == "" {
			return ids, pages
		}
		if len(pages) > 10_000 {
			t.Fatal("it does not end")
		}
		page = fmt.Sprintf(`{"token": %q}`, p.token)
	}
}

// Pages joined are the search without pages, whatever is permitted, whatever the client may see, and whatever the limit.
func TestPagesJoined(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var entities []string
		var own []Resource
		for i := range rapid.IntRange(1, 30).Draw(rt, "records") {
			id := fmt.Sprintf("record-%d", i)
			entities = append(entities, entity("record", id, `"status": "`+rapid.SampledFrom([]string{"active", "archived"}).Draw(rt, "status")+`"`))
			if rapid.Bool().Draw(rt, "own") {
				own = append(own, Resource{"record", id})
			}
		}
		for i := range rapid.IntRange(0, 10).Draw(rt, "users") {
			entities = append(entities, entity("user", fmt.Sprintf("user-%d", i), rapid.SampledFrom([]string{"", `"role": "admin"`}).Draw(rt, "role")))
		}
		own = append(own, Resource{"record", "record-0"})
		if rapid.Bool().Draw(rt, "all") {
			own = []Resource{{Type: "record"}}
		}
		s := records(t, strings.Join(entities, ","), own...)
		search := rapid.SampledFrom([][2]string{
			{"resource", `{` + alice + `,` + write + `, "resource": {"type": "record"}}`},
			{"resource", `{` + bob + `,` + read + `, "resource": {"type": "record"}}`},
			{"resource", `{"subject": {"type": "user", "id": "user-1"},` + write + `, "resource": {"type": "record"}}`},
			{"subject", `{"subject": {"type": "user"},` + write + `, "resource": {"type": "record", "id": "record-0", "properties": {"status": "archived"}}}`},
			{"action", `{` + alice + `, "resource": {"type": "record", "id": "record-0"}}`},
		}).Draw(rt, "search")
		whole := s.page(t, search[0], search[1], "")
		if whole.page != nil {
			rt.Fatalf("a page of everything: %v", whole.page)
		}
		limit := rapid.IntRange(1, 12).Draw(rt, "limit")
		joined, pages := s.walk(t, search[0], search[1], limit)
		if !slices.Equal(joined, whole.ids) {
			rt.Fatalf("%v instead of %v", joined, whole.ids)
		}
		if want := max(1, (len(joined)+limit-1)/limit); len(pages) != want {
			rt.Errorf("%d results in %d pages of %d", len(joined), len(pages), limit)
		}
		for _, p := range pages {
			if p.page["total"] != float64(len(joined)) {
				rt.Errorf("total %v of %d", p.page["total"], len(joined))
			}
		}
		if len(s.journal.events) != len(pages)+1 {
			rt.Errorf("%d records of %d pages", len(s.journal.events), len(pages))
		}
	})
}

// A page has its bounds whatever the client asks for, and what they leave is on the next ones.
func TestPageBounds(t *testing.T) {
	const readers = `{` + alice + `,` + read + `, "resource": {"type": "record"}}`
	s := records(t, many("record", maxPage+100, 1, ""), Resource{Type: "record"})
	for _, page := range []string{"", `{}`, `{"limit": 501}`, `{"limit": 18446744073709551616}`} {
		first := s.page(t, "resource", readers, page)
		if len(first.ids) != maxPage || first.token == "" || first.page["total"] != float64(maxPage+100) {
			t.Fatalf("%q: %d results, %v", page, len(first.ids), first.page)
		}
		if last := s.page(t, "resource", readers, fmt.Sprintf(`{"token": %q}`, first.token)); len(last.ids) != 100 || last.token != "" || last.ids[0] != "record-0500" {
			t.Errorf("%q: %d results, %v", page, len(last.ids), last.page)
		}
	}
	if none := s.page(t, "resource", readers, `{"limit": 0}`); len(none.ids) != 0 || none.token == "" || none.page["total"] != float64(maxPage+100) {
		t.Errorf("limit 0: %v", none)
	}
	// More candidates than one page may cost: no total, and pages that end before they are full, even without any.
	s = records(t, many("user", maxDecided+300, maxDecided+200, `"role": "admin"`), Resource{Type: "record"})
	ids, pages := s.walk(t, "subject", `{"subject": {"type": "user"},`+write+`,`+closed+`}`, 10)
	if strings.Join(ids, " ") != "user-0000 user-2200" || len(pages) != 2 || len(pages[0].ids) != 1 {
		t.Errorf("%v in %d pages", ids, len(pages))
	}
	for _, p := range pages {
		if _, counted := p.page["total"]; counted {
			t.Errorf("a total that nobody counted: %v", p.page)
		}
	}
	if last := s.journal.events[1]; last.Outcome != audit.Success || last.Policies != "admins-write-archives" || last.Client != "pep" {
		t.Errorf("record: %+v", last)
	}
}

// Of what is not the client's nothing shows: neither in results nor in totals, nor in whether there is a total or a next page.
func TestPagesShowOwn(t *testing.T) {
	const readers = `{` + alice + `,` + read + `, "resource": {"type": "record"}}`
	s := records(t, many("record", maxDecided+10, 1, ""), Resource{"record", "record-0003"}, Resource{"record", "record-2001"})
	ids, pages := s.walk(t, "resource", readers, 1)
	if strings.Join(ids, " ") != "record-0003 record-2001" || len(pages) != 2 || pages[0].page["total"] != 2.0 || pages[1].page["total"] != 2.0 {
		t.Errorf("%v, %v", ids, pages)
	}
	if whole := s.page(t, "resource", readers, ""); whole.page != nil || len(whole.ids) != 2 {
		t.Errorf("everything: %v", whole)
	}
}

func refused(t *testing.T, s *service, name, path, body, want string, change ...func(*http.Request)) {
	t.Helper()
	r, w := asking(path, body, change...)
	s.ServeHTTP(w, r)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) {
		t.Errorf("%s: %d %s", name, w.Code, w.Body)
	}
}

// A token is good for the next page of the very search that it was given out for, to the client who has it, as long as the policies stay.
func TestPageToken(t *testing.T) {
	s := certification(t)
	s.config.Clients = append(s.config.Clients, Client{Name: "other", Token: sha256.Sum256([]byte("other")), Resources: []Resource{{Type: "record"}}})
	if err := s.Replace(s.config); err != nil {
		t.Fatal(err)
	}
	const path = "/access/v1/search/subject"
	question := func(context, page string) string {
		return `{"subject": {"type": "user"},` + read + `,` + one + `, "context": {` + context + `}, "page": ` + page + `}`
	}
	ask := func(page string) paged {
		t.Helper()
		return s.page(t, "subject", `{"subject": {"type": "user"},`+read+`,`+one+`, "context": {"a": {"b": 1, "c": 2}}}`, page)
	}
	const context, first = `"a": {"c": 2, "b": 1}`, `{"limit": 1, "properties": {"sort": "id"}}`
	token := ask(first).token
	with := func(more string) string { return fmt.Sprintf(`{"token": %q%s}`, token, more) }

	for name, page := range map[string]string{"alone": with(""), "with its limit": with(`, "limit": 1`), "with its properties": with(`, "properties": {"sort": "id"}`),
		"with what nobody knows": with(`, "other": 1`)} {
		if p := ask(page); strings.Join(p.ids, " ") != "bob" || p.token != "" || p.page["total"] != 2.0 {
			t.Errorf("%s: %v", name, p)
		}
	}
	for name, page := range map[string]string{"an empty token": `{"token": "", "limit": 1}`, "a limit alone": `{"limit": 1}`} {
		if p := ask(page); strings.Join(p.ids, " ") != "alice" || p.token == "" || len(p.token) != len(token) {
			t.Errorf("%s: %v", name, p)
		}
	}
	other := func(r *http.Request) { r.Header.Set("Authorization", "Bearer other") }
	const another, none = "of another question", "none that was given out here"
	refused(t, s, "another client", path, question(context, with("")), another, other)
	refused(t, s, "another context", path, question(`"a": {"c": 2, "b": 2}`, with("")), another)
	refused(t, s, "without context", path, `{"subject": {"type": "user"},`+read+`,`+one+`, "page": `+with("")+`}`, another)
	refused(t, s, "another resource", path, `{"subject": {"type": "user"},`+read+`,`+two+`, "context": {`+context+`}, "page": `+with("")+`}`, another)
	refused(t, s, "another action", path, `{"subject": {"type": "user"},`+write+`,`+one+`, "context": {`+context+`}, "page": `+with("")+`}`, another)
	refused(t, s, "another subject", path, `{"subject": {"type": "user", "properties": {"role": "admin"}},`+read+`,`+one+`, "context": {`+context+`}, "page": `+with("")+`}`, another)
	anything := `{` + alice + `,` + read + `,` + one // a question to all three
	for from, to := range map[string]string{"subject": "resource", "resource": "action", "action": "subject"} {
		token := s.page(t, from, anything+"}", `{"limit": 1}`).token
		refused(t, s, "of search/"+from, "/access/v1/search/"+to, anything+fmt.Sprintf(`, "page": {"token": %q}}`, token), another)
	}
	refused(t, s, "another limit", path, question(context, with(`, "limit": 2`)), "limit of page")
	refused(t, s, "other properties", path, question(context, with(`, "properties": {}`)), "properties of page")
	refused(t, certification(t), "another service", path, question(context, with("")), none)
	for name, text := range map[string]string{"cut": token[:len(token)-4], "longer": token + "AAAA", "with a line end": token[:8] + `\n` + token[8:], "padded": token + "=",
		"in the other alphabet": "+" + token[1:], "a number": "1"} {
		refused(t, s, name, path, question(context, `{"token": "`+text+`"}`), none)
	}
	for name, page := range map[string]string{"page is a text": `"x"`, "page is null": `null`, "token is a number": `{"token": 1}`, "limit is a text": `{"limit": "1"}`,
		"limit is negative": `{"limit": -1}`, "limit is broken": `{"limit": 1.5}`, "limit is null": `{"limit": null}`, "properties is a list": `{"properties": []}`} {
		refused(t, s, name, path, question(context, page), "page")
	}
	if last := s.journal.events[len(s.journal.events)-1]; last.Outcome != audit.Fault || last.Stage != "read" || !strings.Contains(last.Cause, "page") {
		t.Errorf("record: %+v", last)
	}

	if err := s.Replace(s.config); err != nil {
		t.Fatal(err)
	}
	if p := ask(with("")); strings.Join(p.ids, " ") != "bob" {
		t.Errorf("with the policies as they were: %v", p)
	}
	var err error
	if s.config.Policies, err = cedar.Load(cedar.Config{Files: os.DirFS("testdata/certification"), Catalogue: attrs.EHealth(), Attributes: s.facts}); err != nil {
		t.Fatal(err)
	}
	if err := s.Replace(s.config); err != nil {
		t.Fatal(err)
	}
	refused(t, s, "other policies", path, question(context, with("")), "the policies have changed")
}

// What a token says nobody reads in it, who may be the client's log: two of the same page share nothing, and their length tells nothing.
func TestPageTokenSealed(t *testing.T) {
	key, err := newPageKey()
	if err != nil {
		t.Fatal(err)
	}
	question := sha256.Sum256([]byte("SSIN=00000000097"))
	for _, token := range []pageToken{{}, {epoch: epoch{1}, question: question, properties: [32]byte{2}, position: 1 << 30, limit: maxPage, total: uncounted}} {
		one, other := key.seal(&token), key.seal(&token)
		sealed, err := tokenText.DecodeString(one)
		if err != nil || strings.Contains(string(sealed), string(question[:])) || one[:20] == other[:20] || len(one) != len(other) {
			t.Errorf("%s and %s: %v", one, other, err)
		}
		if read, err := key.open(one); err != nil || *read != token {
			t.Errorf("%+v instead of %+v: %v", read, token, err)
		}
	}
}

// FuzzPageToken: no token is taken but those that were given out, in the spelling in which they were.
func FuzzPageToken(f *testing.F) {
	s := certification(f)
	const question = `{"subject": {"type": "user"},` + read + `,` + one + `}`
	given := s.page(f, "subject", question, `{"limit": 1}`).token
	f.Add("", 0, byte(0))
	f.Add("AAAA", 3, byte(1))
	f.Add(strings.Repeat("A", len(given)), 200, byte('\n'))
	f.Add("\n", len(given)-1, byte(1))
	f.Fuzz(func(t *testing.T, token string, at int, change byte) {
		changed := []byte(given)
		changed[uint(at)%uint(len(changed))] ^= change
		for _, token := range []string{token, string(changed), given + token, token + given} {
			text, err := json.Marshal(token)
			if err != nil {
				t.Fatal(err)
			}
			body := strings.TrimSuffix(question, "}") + `, "page": {"token": ` + string(text) + `}}`
			status, answer, _ := s.post(t, "/access/v1/search/subject", body)
			want := map[string]string{"": "alice bob", given: "bob"}[token]
			if (status == http.StatusOK) != (want != "") || status != http.StatusOK && status != http.StatusBadRequest {
				t.Fatalf("token %q: status %d", token, status)
			}
			if want != "" && found(answer) != want {
				t.Errorf("token %q: %v", token, answer)
			}
		}
	})
}
