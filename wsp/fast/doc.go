// Package fast is the middleware of a wsp.Guard for fasthttp, as wsp.Guard.Handler is for net/http.
//
//	server := &fasthttp.Server{
//		Handler:            fast.Handler(guard, service),
//		MaxRequestBodySize: 1 << 20, // what the guard would refuse need not be read
//	}
//
//	func service(ctx *fasthttp.RequestCtx) {
//		caller := fast.CallerFrom(ctx)
//		body := ctx.PostBody() // the verified body element, and nothing else
//	}
//
// A Caller aliases no request: it may be kept after the handler returned, which what fasthttp lends may not.
package fast
