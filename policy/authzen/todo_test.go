package authzen

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The users of the Todo scenario: the subject of their tokens, and what they own their todos by.
var todoUsers = map[string]struct{ id, email string }{
	"rick":   {"CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs", "rick@the-citadel.com"},
	"morty":  {"CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs", "morty@the-citadel.com"},
	"summer": {"CiRmZDI2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs", "summer@the-smiths.com"},
	"beth":   {"CiRmZDM2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs", "beth@the-smiths.com"},
	"jerry":  {"CiRmZDQ2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs", "jerry@the-smiths.com"},
}

func todo(t testing.TB) *service {
	return serve(t, os.DirFS("testdata/todo"), Resource{Type: "todo"}, Resource{Type: "user"})
}

// The interoperability scenario of the working group (users, roles, actions, and decisions as it published them), asked
// over HTTP: forty decisions, then the boxcar of the same scenario.
func TestTodoScenario(t *testing.T) {
	s := todo(t)
	read := func(user, resourceType, resource, action string) string {
		return fmt.Sprintf(`{"subject": {"type": "user", "id": %q}, "action": {"name": %q}, "resource": {"type": %q, "id": %q}}`,
			todoUsers[user].id, action, resourceType, resource)
	}
	owned := func(user, action, owner string) string {
		return fmt.Sprintf(`{"subject": {"type": "user", "id": %q}, "action": {"name": %q},
			"resource": {"type": "todo", "id": "7240d0db-8ff0-41ec-98b2-34a096273b9f", "properties": {"ownerID": %q}}}`,
			todoUsers[user].id, action, todoUsers[owner].email)
	}
	for _, row := range []struct {
		user, other                                                                               string // whose todo is asked about beside Rick's
		readUser, readSelf, readTodos, create, updateRicks, updateOther, deleteRicks, deleteOther string
	}{
		{"rick", "morty", "+", "+", "+", "+", "+", "+", "+", "+"},
		{"morty", "morty", "+", "+", "+", "+", "-", "+", "-", "+"},
		{"summer", "summer", "+", "+", "+", "+", "-", "+", "-", "+"},
		{"beth", "beth", "+", "+", "+", "-", "-", "-", "-", "-"},
		{"jerry", "jerry", "+", "+", "+", "-", "-", "-", "-", "-"},
	} {
		for _, c := range []struct{ body, want string }{
			{read(row.user, "user", "beth@the-smiths.com", "can_read_user"), row.readUser},
			{read(row.user, "user", todoUsers[row.user].email, "can_read_user"), row.readSelf},
			{read(row.user, "todo", "todo-1", "can_read_todos"), row.readTodos},
			{read(row.user, "todo", "todo-1", "can_create_todo"), row.create},
			{owned(row.user, "can_update_todo", "rick"), row.updateRicks},
			{owned(row.user, "can_update_todo", row.other), row.updateOther},
			{owned(row.user, "can_delete_todo", "rick"), row.deleteRicks},
			{owned(row.user, "can_delete_todo", row.other), row.deleteOther},
		} {
			if status, answer, _ := s.post(t, "/access/v1/evaluation", c.body); status != 200 || decided(answer) != c.want {
				t.Errorf("%s: %d %v instead of %s", c.body, status, answer, c.want)
			}
		}
	}
	if len(s.journal.events) != 40 {
		t.Errorf("%d records of 40 decisions", len(s.journal.events))
	}
	boxcar := fmt.Sprintf(`{"subject": {"type": "user", "id": %q}, "action": {"name": "can_update_todo"}, "resource": {}, "context": {}, "evaluations": [
		{"resource": {"type": "todo", "id": "1", "properties": {"ownerID": "rick@the-citadel.com"}}},
		{"resource": {"type": "todo", "id": "2", "properties": {"ownerID": "morty@the-citadel.com"}}}]}`, todoUsers["morty"].id)
	if status, answer, _ := s.post(t, "/access/v1/evaluations", boxcar); status != 200 || decided(answer) != "-+" {
		t.Errorf("boxcar: %d %v", status, answer)
	}
}

// The published files of decisions, where they are: those since fields of an entity stand in its properties.
func TestTodoPublished(t *testing.T) {
	names, _ := filepath.Glob(filepath.Join(os.Getenv("SCEAU_SHARED"), "vectors", "authzen", "decisions-authorization-api-1_0-0[1-9].json"))
	if os.Getenv("SCEAU_SHARED") == "" || len(names) == 0 {
		t.Skip("no published decisions: SCEAU_SHARED has no vectors/authzen")
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		var published struct {
			Evaluation, Evaluations []struct {
				Request  json.RawMessage
				Expected json.RawMessage
			}
		}
		if err == nil {
			err = json.Unmarshal(text, &published)
		}
		if err != nil || len(published.Evaluation) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		s := todo(t)
		for _, c := range published.Evaluation {
			status, answer, _ := s.post(t, "/access/v1/evaluation", string(c.Request))
			if want := map[string]string{"true": "+", "false": "-"}[string(c.Expected)]; status != 200 || decided(answer) != want {
				t.Errorf("%s: %s: %d %v instead of %s", filepath.Base(name), c.Request, status, answer, c.Expected)
			}
		}
		for _, c := range published.Evaluations {
			var want []any
			if err := json.Unmarshal(c.Expected, &want); err != nil {
				t.Fatal(err)
			}
			status, answer, _ := s.post(t, "/access/v1/evaluations", string(c.Request))
			if status != 200 || decided(answer) != decided(map[string]any{"evaluations": want}) {
				t.Errorf("%s: %s: %d %v instead of %s", filepath.Base(name), c.Request, status, answer, c.Expected)
			}
		}
	}
}

func TestTodoSearches(t *testing.T) {
	s := todo(t)
	for _, c := range []struct{ path, body, want string }{
		{"subject", `{"subject": {"type": "user"}, "action": {"name": "can_create_todo"}, "resource": {"type": "todo", "id": "x"}}`,
			todoUsers["rick"].id + " " + todoUsers["morty"].id + " " + todoUsers["summer"].id},
		{"subject", `{"subject": {"type": "user"}, "action": {"name": "can_update_todo"}, "resource": {"type": "todo", "id": "x", "properties": {"ownerID": "summer@the-smiths.com"}}}`,
			todoUsers["rick"].id + " " + todoUsers["summer"].id},
		{"action", fmt.Sprintf(`{"subject": {"type": "user", "id": %q}, "resource": {"type": "todo", "id": "x"}}`, todoUsers["beth"].id), "can_read_todos"},
		{"action", fmt.Sprintf(`{"subject": {"type": "user", "id": %q}, "resource": {"type": "todo", "id": "x", "properties": {"ownerID": "morty@the-citadel.com"}}}`, todoUsers["morty"].id),
			"can_create_todo can_delete_todo can_read_todos can_update_todo"},
		{"resource", fmt.Sprintf(`{"subject": {"type": "user", "id": %q}, "action": {"name": "can_read_user"}, "resource": {"type": "user"}}`, "nobody"), ""},
	} {
		if status, answer, _ := s.post(t, "/access/v1/search/"+c.path, c.body); status != 200 || found(answer) != c.want {
			t.Errorf("%s: %d %v instead of %s", c.body, status, answer, c.want)
		}
	}
}
