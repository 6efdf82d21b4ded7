package soaphttp

import (
	"context"
	"testing"

	"github.com/valyala/fasthttp"
)

// TestBodyIsGoneWithItsRoom: the memory of a body is given back with the room that was counted
// for it, before the answer is written: a peer that reads nothing would hold it uncounted.
func TestBodyIsGoneWithItsRoom(t *testing.T) {
	s, err := New(Config{Endpoints: []Endpoint{{Path: "/", Service: func(_ context.Context, r *Request, dst []byte) (int, []byte, string) {
		return 200, append(dst, r.Body...), ""
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	var ctx fasthttp.RequestCtx
	ctx.Init(&fasthttp.Request{}, nil, nil)
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.Header.SetContentType("text/xml")
	ctx.Request.SetRequestURI("/")
	ctx.Request.SetBodyString("<a/>")
	s.handle(&ctx)
	if got := string(ctx.Response.Body()); got != "<a/>" {
		t.Errorf("answer %q", got)
	}
	if got := ctx.Request.Body(); len(got) > 0 {
		t.Errorf("the body is still there: %q", got)
	}
}
