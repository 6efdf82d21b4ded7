package store

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestNothingUnapprovedInForce: whatever is tried by whomever in whatever order, what is in force was submitted as it is, and approved by somebody
// who had no hand in it; and what a reader finds is what the writer was told.
func TestNothingUnapprovedInForce(t *testing.T) {
	dir, stores := t.TempDir(), 0
	rapid.Check(t, func(r *rapid.T) {
		stores++
		c := config(filepath.Join(dir, fmt.Sprintf("%d.db", stores)))
		c.Administrators[2].May = []Right{RightPropose, RightApprove, RightRollback}
		d := open(t, c)
		submitted := map[string]bool{}
		for range rapid.IntRange(1, 14).Draw(r, "steps") {
			who := rapid.SampledFrom([]string{"jan", "marie", "piet", "stranger"}).Draw(r, "who")
			kind := rapid.SampledFrom([]Kind{KindDraft, KindDraft, KindSubmit, KindSubmit, KindApprove, KindApprove, KindReject, KindWithdraw, KindActivate, KindActivate, KindRollback}).Draw(r, "kind")
			version := int64(rapid.IntRange(0, 3).Draw(r, "version"))
			var content *Bundle
			if kind == KindDraft {
				content = bundle(t, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "content"))
			}
			before, err := d.History(t.Context())
			if err != nil {
				r.Fatal(err)
			}
			err = d.try(who, kind, version, content)
			if err != nil && ReasonOf(err) == 0 {
				r.Fatalf("an error without a reason: %v", err)
			}
			after, wrong := d.History(t.Context())
			if wrong != nil {
				r.Fatalf("after %s %s %d: %v", who, kind, version, wrong)
			}
			if grown := len(after.events) - len(before.events); (err == nil) != (grown == 1) || grown > 1 || !after.Extends(before) {
				r.Fatalf("%v, and %d events more", err, grown)
			}
			if who == "stranger" && err == nil {
				r.Fatal("a stranger did something")
			}
			if kind == KindSubmit && err == nil {
				v, _ := after.Version(version)
				submitted[fmt.Sprint(version, v.Content)] = true
			}
			active, ok := after.Active()
			if !ok {
				continue
			}
			if !submitted[fmt.Sprint(active.Number, active.Content)] {
				r.Fatalf("version %d was not submitted as it is", active.Number)
			}
			if len(active.Approvals) == 0 || slices.ContainsFunc(active.Approvals, func(name string) bool { return slices.Contains(active.Hands, name) }) {
				r.Fatalf("version %d is in force, by %v, approved by %v", active.Number, active.Hands, active.Approvals)
			}
			n := 0
			for _, v := range after.Versions() {
				if v.State == StateActive {
					n++
				}
			}
			if n != 1 {
				r.Fatalf("%d versions are active", n)
			}
		}
	})
}
