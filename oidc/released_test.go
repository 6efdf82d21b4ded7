package oidc

import (
	"context"
	"testing"

	"github.com/luikyv/go-oidc/pkg/goidc"
)

// TestReleasedOnce: what a grant says is read once a call, and anew of a grant that says something else.
func TestReleasedOnce(t *testing.T) {
	grant := func(subject string) *goidc.Grant {
		g := &goidc.Grant{ID: "g", Store: map[string]any{}}
		if err := putStore(g.Store, &released{Subject: subject}); err != nil {
			t.Fatal(err)
		}
		return g
	}
	ctx := context.WithValue(context.Background(), callKey{}, &call{})
	read := func(ctx context.Context, g *goidc.Grant) *released {
		r, err := releasedOf(ctx, g)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	g := grant("alice")
	first := read(ctx, g)
	if first.Subject != "alice" || read(ctx, g) != first || read(ctx, grant("alice")) != first {
		t.Error("the same text is read twice")
	}
	if bob := read(ctx, grant("bob")); bob.Subject != "bob" || first.Subject != "alice" {
		t.Errorf("%+v of another grant", bob)
	}
	if alone := read(context.Background(), g); read(context.Background(), g) == alone {
		t.Error("kept without a call")
	}
	if _, err := releasedOf(ctx, &goidc.Grant{ID: "none"}); err == nil {
		t.Error("a grant that says nothing of a person")
	}
	fresh := context.WithValue(context.Background(), callKey{}, &call{})
	if _, err := releasedOf(fresh, &goidc.Grant{ID: "none"}); err == nil {
		t.Error("a grant that says nothing of a person, first")
	}
}
