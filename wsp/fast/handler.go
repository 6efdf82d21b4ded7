package fast

import (
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"

	"sceau/soap"
	"sceau/wsp"
)

type verdictKey struct{}

// CallerFrom gives the caller of a request that Handler passed on; nil, which is nobody, for any other.
func CallerFrom(ctx *fasthttp.RequestCtx) *wsp.Caller {
	if v, ok := ctx.UserValue(verdictKey{}).(*wsp.Verdict); ok {
		return v.Caller
	}
	return nil
}

// DecisionIDFrom gives the id of the record of the decision that let the request pass; empty for any other request.
func DecisionIDFrom(ctx *fasthttp.RequestCtx) string {
	if v, ok := ctx.UserValue(verdictKey{}).(*wsp.Verdict); ok {
		return v.ID
	}
	return ""
}

// Handler guards next, in the way of wsp.Guard.Handler: next is called for admitted messages only, the body of its request is the verified
// body element, and SOAPAction, which nobody signed, is taken away (attacks.md W23). The server must have read the body: with
// StreamRequestBody it is refused. A guard that NewGuard did not make admits nobody.
func Handler(guard *wsp.Guard, next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		header := &ctx.Request.Header
		status := wsp.TransportStatus(string(header.Method()), string(header.ContentType()), string(header.ContentEncoding()))
		if status == 0 && (len(header.PeekAll(fasthttp.HeaderContentType)) > 1 || len(header.PeekAll(fasthttp.HeaderContentEncoding)) > 1) {
			status = fasthttp.StatusUnsupportedMediaType
		}
		if status == 0 && ctx.Request.IsBodyStream() {
			status = fasthttp.StatusRequestEntityTooLarge
		}
		if status != 0 {
			ctx.Error(fasthttp.StatusMessage(status), status)
			if status == fasthttp.StatusMethodNotAllowed {
				ctx.Response.Header.Set(fasthttp.HeaderAllow, fasthttp.MethodPost)
			}
			ctx.Response.Header.Set(wsp.CorrelationHeader, guard.RefuseRequest(ctx, status, remote(ctx)))
			return
		}
		verdict := guard.Judge(ctx, ctx.Request.Body(), remote(ctx))
		if !verdict.Admitted() {
			ctx.Response.Reset()
			ctx.SetStatusCode(fasthttp.StatusInternalServerError) // SOAP 1.1 section 6.2
			ctx.SetContentType("text/xml; charset=utf-8")
			ctx.Response.Header.Set(wsp.CorrelationHeader, verdict.ID)
			ctx.SetBody(soap.AppendFault(nil, verdict.Fault))
			return
		}
		ctx.Request.SetBodyRaw(verdict.Caller.Body()) // a copy of the verified element
		header.SetContentLength(len(ctx.Request.Body()))
		for _, key := range header.PeekKeys() { // however it is spelled
			if strings.EqualFold(string(key), "SOAPAction") {
				header.DelBytes(key)
			}
		}
		ctx.SetUserValue(verdictKey{}, &verdict)
		next(ctx)
	}
}

func remote(ctx *fasthttp.RequestCtx) netip.Addr {
	address, _ := netip.AddrFromSlice(ctx.RemoteIP())
	return address.Unmap()
}
