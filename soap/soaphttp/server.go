package soaphttp

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/time/rate"

	"sceau/internal/network"
	"sceau/soap"
)

// A Request is one message as it came. Its slices are valid until Service returns.
type Request struct {
	Body   []byte
	Action []byte // SOAPAction as it stands, quotes included; empty when absent
	Remote netip.Addr
}

// A Service answers a message: it appends the answer to dst and returns it with the
// HTTP status and the correlation id for X-CorrelationID, empty for none. It is
// called by many goroutines.
type Service func(ctx context.Context, request *Request, dst []byte) (status int, body []byte, correlation string)

// An Endpoint is what one path serves.
type Endpoint struct {
	Path    string
	Service Service
	WSDL    []byte // for ?wsdl; nil for none
	// Schemas are the XML schemas that the WSDL imports, by the NAME of ?xsd=NAME.
	Schemas map[string][]byte
}

// A Document is what GET of one path gives.
type Document struct {
	Path        string
	ContentType string
	// Body makes the document, or an error for 503.
	Body func() ([]byte, error)
	// MaxAge is how long a copy may be used before it is asked for again; the document then
	// bears an ETag, and whoever has it gets 304. Zero: nothing is said.
	MaxAge time.Duration
}

// Config bounds a Server. A zero limit is replaced as each field says.
type Config struct {
	Endpoints []Endpoint
	Documents []Document

	// MaxBody bounds a request body in bytes; zero means 256 KiB.
	MaxBody int
	// MaxHeader bounds request line and headers in bytes; zero means 8 KiB.
	MaxHeader int
	// ReadTimeout bounds the reading of one request, WriteTimeout the writing of one
	// answer, IdleTimeout the wait for the next request of a connection; zero means
	// 10 s, 10 s and 75 s.
	ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// MaxLargeBodies bounds the bytes of all bodies over 16 KiB together, from the headers
	// that announce them to their answers; requests beyond are told to try later. Zero
	// means 64 MiB.
	MaxLargeBodies int
	// MaxConnections bounds open connections of all listeners; zero means 65536. MaxPerAddress
	// bounds those of one IPv4 address or one IPv6 network of 64 bits; zero means no bound. What is
	// beyond is closed at once.
	MaxConnections, MaxPerAddress int
	// MaxWait bounds the time that a request waits for a processor, as it is foreseen from what those
	// before it waited: who would wait longer is told at once to try later. Zero means 500 ms.
	MaxWait time.Duration
	// MaxAtWork bounds the requests that are worked on at once; that many are admitted in any case. It must
	// hold those that wait for disks and sources: the rate wanted times the time they take. Zero
	// means 32 for each processor that Go may use.
	MaxAtWork int
	// MaxInFlight bounds the requests that wait or are answered at once, whatever they would
	// wait. Zero means 4096.
	MaxInFlight int
	// Now is the clock of the Date header; nil means the system's.
	Now func() time.Time
	// Environment is named in faults; may be empty.
	Environment string
	// Refused is told of each request that no Service saw, with what it is answered, and
	// returns the id that the answer bears. Nil: nobody is told.
	Refused func(status int, fault *soap.Fault, remote netip.Addr) (id string)
	// Log is told of a Service that panicked. Nil means slog.Default.
	Log *slog.Logger
}

// A Server serves endpoints on any number of listeners. New makes it.
type Server struct {
	config    Config
	endpoints map[string]*Endpoint
	documents map[string]*Document
	admission *admission
	bodies    *largeBodies
	admitted  *admitted
	date      dateHeader
	http      fasthttp.Server
	buffers   sync.Pool

	stop    chan struct{}
	stopped sync.Once
}

// New returns a Server that serves nothing yet.
func New(config Config) (*Server, error) {
	if len(config.Endpoints) == 0 {
		return nil, errors.New("soaphttp: no endpoint")
	}
	fill := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	fillTime := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	fill(&config.MaxBody, 256<<10)
	fill(&config.MaxHeader, 8<<10)
	fill(&config.MaxConnections, 1<<16)
	fill(&config.MaxInFlight, 4096)
	fill(&config.MaxAtWork, 32*runtime.GOMAXPROCS(0))
	fill(&config.MaxLargeBodies, 64<<20)
	if least := memoryOf(config.MaxBody + len("\r\n")); config.MaxLargeBodies < least && config.MaxBody > smallBody {
		return nil, fmt.Errorf("soaphttp: MaxLargeBodies of %d has no room for one body of %d, which may take %d", config.MaxLargeBodies, config.MaxBody, least)
	}
	fillTime(&config.MaxWait, 500*time.Millisecond)
	fillTime(&config.ReadTimeout, 10*time.Second)
	fillTime(&config.WriteTimeout, 10*time.Second)
	fillTime(&config.IdleTimeout, 75*time.Second)
	if config.Log == nil {
		config.Log = slog.Default()
	}
	s := &Server{config: config, endpoints: map[string]*Endpoint{}, documents: map[string]*Document{},
		admission: newAdmission(config.MaxInFlight, min(config.MaxAtWork, config.MaxInFlight), config.MaxWait), bodies: newLargeBodies(config.MaxLargeBodies, config.MaxBody, config.ReadTimeout), date: dateHeader{now: config.Now}, stop: make(chan struct{})}
	for i := range config.Endpoints {
		e := &config.Endpoints[i]
		if s.endpoints[e.Path] != nil || e.Service == nil || e.Path == "" {
			return nil, errors.New("soaphttp: endpoint " + e.Path + " is there twice or has no service")
		}
		s.endpoints[e.Path] = e
	}
	for i := range config.Documents {
		s.documents[config.Documents[i].Path] = &config.Documents[i]
	}
	s.admitted = &admitted{Connections: network.Connections{Most: config.MaxConnections, PerAddress: config.MaxPerAddress},
		write: config.WriteTimeout, log: config.Log, told: rate.Sometimes{Interval: time.Minute}, stop: s.stop}
	s.buffers.New = func() any { b := make([]byte, 0, 16<<10); return &b }
	s.http = fasthttp.Server{
		Handler:               s.handle,
		ErrorHandler:          s.badRequest,
		HeaderReceived:        s.announced,
		ExpectHandler:         s.expected,
		NoDefaultServerHeader: true,
		NoDefaultDate:         config.Now != nil, // then dateHeader writes it
		NoDefaultContentType:  true,
		ReadBufferSize:        config.MaxHeader,
		ReadTimeout:           config.ReadTimeout,
		IdleTimeout:           config.IdleTimeout,
		MaxRequestBodySize:    config.MaxBody,
		Concurrency:           config.MaxConnections,
		ReduceMemoryUsage:     true, // 10 000 idle connections: 69 MB instead of 396 MB
		CloseOnShutdown:       true,
		// A form is refused by its media type; its parts are not to be parsed, or written to files, before.
		DisablePreParseMultipartForm: true,
		// What fasthttp would log quotes the peer's bytes; the errors that matter are
		// answered and counted.
		Logger: log.New(io.Discard, "", 0),
	}
	return s, nil
}

// Serve accepts connections from l until Shutdown. Several listeners may be served at
// once.
func (s *Server) Serve(l net.Listener) error {
	return s.http.Serve(&listener{Listener: l, admitted: s.admitted})
}

// Shutdown stops accepting, lets every request that has begun be answered, closes
// idle connections, and returns when all is done or ctx is.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopped.Do(func() { close(s.stop) })
	return s.http.ShutdownWithContext(ctx)
}

// InFlight returns how many requests wait or are being answered.
func (s *Server) InFlight() int { return int(s.admission.inFlight.Load()) }

// announced bounds the body behind headers that were just read.
func (s *Server) announced(header *fasthttp.RequestHeader) fasthttp.RequestConfig {
	return fasthttp.RequestConfig{MaxRequestBodySize: s.bodies.announced(header, time.Now())}
}

// expected answers who asks before it sends a body (RFC 9110 section 10.1.1): a body that would be
// refused is not invited.
func (s *Server) expected(ctx *fasthttp.RequestCtx) int {
	header := &ctx.Request.Header
	long := header.ContentLength() > s.config.MaxBody
	if !long && !(s.bodies.refused(header) && header.ContentLength() > smallBody) {
		return http.StatusContinue
	}
	s.bodies.done(header)
	s.turnAway(ctx)
	if long {
		s.fault(ctx, http.StatusRequestEntityTooLarge, soap.Fault{Code: soap.FaultClient, SOA: soap.SOAMalformed})
	} else {
		s.busy(ctx)
	}
	return ctx.Response.StatusCode()
}

// turnAway prepares an answer that is the last one of its connection, and that is given while the
// peer may still be sending.
func (s *Server) turnAway(ctx *fasthttp.RequestCtx) {
	s.date.write(&ctx.Response.Header)
	ctx.SetConnectionClose()
	if c, ok := ctx.Conn().(*connection); ok {
		c.unread.Store(true)
	}
}

func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	s.bodies.read(&ctx.Request.Header)
	defer func() {
		ctx.Request.ResetBody() // before the answer is written, which may take as long as the peer likes
		s.bodies.done(&ctx.Request.Header)
	}()
	s.date.write(&ctx.Response.Header)
	endpoint := s.endpoints[string(ctx.Path())]
	switch {
	case ctx.IsOptions():
		// The connectors set their clocks by this answer's Date.
		ctx.Response.Header.Set("Allow", "GET, POST, OPTIONS")
		ctx.SetStatusCode(http.StatusOK)
	case endpoint == nil:
		s.document(ctx)
	case ctx.IsPost():
		s.post(ctx, endpoint)
	case ctx.IsGet() || ctx.IsHead():
		s.describe(ctx, endpoint)
	default:
		ctx.Response.Header.Set("Allow", "POST, OPTIONS")
		ctx.SetStatusCode(http.StatusMethodNotAllowed)
	}
}

// describe answers ?wsdl and ?xsd=NAME.
func (s *Server) describe(ctx *fasthttp.RequestCtx, endpoint *Endpoint) {
	query := ctx.URI().QueryString()
	var text []byte
	if name, ok := bytes.CutPrefix(query, []byte("xsd=")); ok {
		text = endpoint.Schemas[string(name)]
	} else if equalFold(query, "wsdl") {
		text = endpoint.WSDL
	}
	switch {
	case text != nil:
		ctx.SetContentType("text/xml; charset=utf-8")
		ctx.SetBody(text)
	case len(query) > 0:
		ctx.SetStatusCode(http.StatusNotFound)
	default:
		ctx.Response.Header.Set("Allow", "POST, OPTIONS")
		ctx.SetStatusCode(http.StatusMethodNotAllowed)
	}
}

func (s *Server) document(ctx *fasthttp.RequestCtx) {
	d := s.documents[string(ctx.Path())]
	switch {
	case d == nil:
		ctx.SetStatusCode(http.StatusNotFound)
	case !ctx.IsGet() && !ctx.IsHead():
		ctx.Response.Header.Set("Allow", "GET, OPTIONS")
		ctx.SetStatusCode(http.StatusMethodNotAllowed)
	default:
		body, err := d.Body()
		if err != nil {
			ctx.SetStatusCode(http.StatusServiceUnavailable)
			return
		}
		if d.MaxAge > 0 && notModified(ctx, d.MaxAge, body) {
			ctx.SetStatusCode(http.StatusNotModified)
			return
		}
		ctx.SetContentType(d.ContentType)
		ctx.SetBody(body)
	}
}

// notModified says how long a document may be kept and under which tag, and tells whether
// the client has it (RFC 9110 section 13.1.2).
func notModified(ctx *fasthttp.RequestCtx, maxAge time.Duration, body []byte) bool {
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	ctx.Response.Header.Set("ETag", tag)
	ctx.Response.Header.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(maxAge.Seconds())))
	for one := range strings.SplitSeq(string(ctx.Request.Header.Peek("If-None-Match")), ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

func (s *Server) post(ctx *fasthttp.RequestCtx, endpoint *Endpoint) {
	if status := refusedBeforeXML(ctx); status != 0 {
		s.fault(ctx, status, soap.Fault{Code: soap.FaultClient, SOA: soap.SOANotSOAP})
		return
	}
	n := s.admission.enter()
	if n == 0 {
		s.busy(ctx)
		return
	}
	s.admission.line(n)
	defer s.admission.leave()
	defer s.recovered(ctx)
	buffer := s.buffers.Get().(*[]byte)
	request := Request{Body: ctx.PostBody(), Action: ctx.Request.Header.Peek("SOAPAction"), Remote: remote(ctx)}
	// Not the context of fasthttp: it ends when the server begins to stop, and a request
	// that has begun is to be answered.
	status, body, correlation := endpoint.Service(context.Background(), &request, (*buffer)[:0])
	if correlation != "" {
		ctx.Response.Header.Set("X-CorrelationID", correlation)
	}
	ctx.SetStatusCode(status)
	ctx.SetContentType("text/xml; charset=utf-8")
	ctx.SetBody(body)
	if cap(body) <= 1<<20 {
		*buffer = body[:0]
	}
	s.buffers.Put(buffer)
}

// busy tells who asks to come back later.
func (s *Server) busy(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("Retry-After", "1")
	s.fault(ctx, http.StatusServiceUnavailable, soap.Fault{Code: soap.FaultServer, SOA: soap.SOATemporarily})
}

// recovered keeps a Service that panicked over one message from ending all others: the
// whole process would go with it. Who asked learns that the server failed and nothing else.
func (s *Server) recovered(ctx *fasthttp.RequestCtx) {
	cause := recover()
	if cause == nil {
		return
	}
	s.config.Log.Error("a service panicked", "cause", cause, "stack", string(debug.Stack()))
	// Not Refused: the Service saw this request, and its record is the Service's.
	s.write(ctx, http.StatusInternalServerError, soap.Fault{Code: soap.FaultServer, SOA: soap.SOAServiceError})
}

// refusedBeforeXML returns the HTTP status of a request whose headers say that its
// body is nothing we read, zero otherwise.
func refusedBeforeXML(ctx *fasthttp.RequestCtx) int {
	if len(ctx.Request.Header.Peek("Content-Encoding")) > 0 {
		return http.StatusUnsupportedMediaType
	}
	if !isSOAP11(ctx.Request.Header.ContentType()) {
		return http.StatusUnsupportedMediaType
	}
	return 0
}

func remote(ctx *fasthttp.RequestCtx) netip.Addr {
	if tcp, ok := ctx.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// fault answers a request that no Service saw.
func (s *Server) fault(ctx *fasthttp.RequestCtx, status int, fault soap.Fault) {
	if s.config.Refused != nil {
		fault.ID = s.config.Refused(status, &fault, remote(ctx))
		ctx.Response.Header.Set("X-CorrelationID", fault.ID)
	}
	s.write(ctx, status, fault)
}

func (s *Server) write(ctx *fasthttp.RequestCtx, status int, fault soap.Fault) {
	fault.Environment = s.config.Environment
	ctx.SetStatusCode(status)
	ctx.SetContentType("text/xml; charset=utf-8")
	ctx.SetBody(soap.AppendFault(nil, fault))
}

// badRequest answers what fasthttp could not read as a request.
func (s *Server) badRequest(ctx *fasthttp.RequestCtx, err error) {
	s.turnAway(ctx)
	if s.bodies.done(&ctx.Request.Header) && errors.Is(err, fasthttp.ErrBodyTooLarge) {
		s.busy(ctx)
		return
	}
	status := http.StatusBadRequest
	var small *fasthttp.ErrSmallBuffer
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.As(err, &small):
		status = http.StatusRequestHeaderFieldsTooLarge
	case errors.As(err, &timeout) && timeout.Timeout():
		status = http.StatusRequestTimeout
	}
	s.fault(ctx, status, soap.Fault{Code: soap.FaultClient, SOA: soap.SOAMalformed})
}
