package wsp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	"sceau/soap"
)

type callerKey struct{}

// CallerFrom gives the caller of the request that Handler passed on. A context of any
// other origin has none: the answer is then nil, which is nobody.
func CallerFrom(ctx context.Context) *Caller {
	if v, ok := ctx.Value(callerKey{}).(*Verdict); ok {
		return v.Caller
	}
	return nil
}

// DecisionIDFrom gives the id of the record of the decision that let the request pass; empty for a context of any other origin.
func DecisionIDFrom(ctx context.Context) string {
	if v, ok := ctx.Value(callerKey{}).(*Verdict); ok {
		return v.ID
	}
	return ""
}

// remote is who is connected, as far as the server says.
func remote(r *http.Request) netip.Addr {
	at, _ := netip.ParseAddrPort(r.RemoteAddr)
	return at.Addr().Unmap()
}

const (
	contentType = "text/xml; charset=utf-8"
	// maxRequestBuffer bounds the memory that a pooled buffer keeps.
	maxRequestBuffer = 256 << 10
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Handler guards next. next is called for admitted messages only; it finds the caller
// with CallerFrom. The body of its request is the verified body element (Caller.Body),
// not the message: nothing of a message that was not verified reaches it. The header
// SOAPAction, which nobody signed, is taken away (attacks.md W23).
//
// What is not a POST of text/xml, or longer than the limit, is answered by HTTP status;
// everything else that is refused by a SOAP fault with status 500 (SOAP 1.1 section
// 6.2). A compressed or multipart message is not read (attacks.md Z6, D9). Timeouts,
// the length of headers and the number of requests at once are the server's to bound.
func (g *Guard) Handler(next http.Handler) http.Handler {
	if g == nil || g.config.Certificates == nil { // a Guard that nobody made admits nobody
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w, FaultOf(refuse(Unconfigured, nil))) })
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status := RequestStatus(r); status != 0 {
			if status == http.StatusMethodNotAllowed {
				w.Header().Set("Allow", http.MethodPost)
			}
			g.refuseRequest(w, r, status)
			return
		}
		buffer := buffers.Get().(*bytes.Buffer)
		defer func() {
			if buffer.Cap() <= maxRequestBuffer {
				buffer.Reset()
				buffers.Put(buffer)
			}
		}()
		if _, err := buffer.ReadFrom(http.MaxBytesReader(w, r.Body, int64(g.config.Limits.Bytes))); err != nil {
			status := http.StatusBadRequest
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				status = http.StatusRequestEntityTooLarge
			}
			g.refuseRequest(w, r, status)
			return
		}
		verdict := g.Judge(r.Context(), buffer.Bytes(), remote(r))
		if !verdict.Admitted() {
			w.Header().Set(CorrelationHeader, verdict.ID)
			answer(w, verdict.Fault)
			return
		}
		body := verdict.Caller.Body()
		guarded := r.Clone(context.WithValue(r.Context(), callerKey{}, &verdict))
		guarded.Body, guarded.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		guarded.GetBody, guarded.TransferEncoding, guarded.Trailer = nil, nil, nil
		guarded.Header.Del("SOAPAction")
		guarded.Header.Set("Content-Length", strconv.Itoa(len(body)))
		next.ServeHTTP(w, guarded)
	})
}

// TransportStatus says with which HTTP status a request is refused before its body is read, zero for none: only a POST of
// text/xml in UTF-8, not compressed, is read.
func TransportStatus(method, contentType, contentEncoding string) int {
	if method != http.MethodPost {
		return http.StatusMethodNotAllowed
	}
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || media != "text/xml" {
		return http.StatusUnsupportedMediaType
	}
	if charset, ok := parameters["charset"]; ok && !strings.EqualFold(charset, "utf-8") {
		return http.StatusUnsupportedMediaType
	}
	if contentEncoding != "" && !strings.EqualFold(contentEncoding, "identity") {
		return http.StatusUnsupportedMediaType
	}
	return 0
}

func (g *Guard) refuseRequest(w http.ResponseWriter, r *http.Request, status int) {
	w.Header().Set(CorrelationHeader, g.RefuseRequest(r.Context(), status, remote(r)))
	http.Error(w, http.StatusText(status), status)
}

// CorrelationHeader bears the id of the decision in a refusal, as the platform's answers do; connectors log it.
const CorrelationHeader = "X-CorrelationID"

// RequestStatus is TransportStatus of a request. One that says twice what its body is, is refused: whoever reads it next may take
// the other for true.
func RequestStatus(r *http.Request) int {
	return TransportStatus(r.Method, strings.Join(r.Header["Content-Type"], ","), strings.Join(r.Header["Content-Encoding"], ","))
}

func answer(w http.ResponseWriter, fault soap.Fault) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(http.StatusInternalServerError)
	w.Write(soap.AppendFault(nil, fault)) // a client that went away is its own affair
}
