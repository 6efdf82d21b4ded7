// Package httpsource is a service that answers JSON over HTTP as an authentic source of attributes. It implements
// [attrs.Source].
//
//	source, err := httpsource.Open(httpsource.Config{
//		ID:        "recognitions",
//		URLs:      map[attrs.SubjectType]string{attrs.SubjectSSIN: "https://api.example.org/v1/persons/{ssin}"},
//		TLS:       remote.TLS{CAFile: "api-ca.pem", CertificateFile: "client.pem", KeyFile: "client.key"},
//		TokenFile: "api.token",
//		NotFound:  []int{404}, NotFoundAt: "/code", NotFoundIs: []string{"UNKNOWN_PERSON"},
//		Mappings: []httpsource.Mapping{
//			{Definition: doctor, Value: "/recognition/doctor"},
//			{Definition: nihii11, Items: "/numbers", Where: "/profession", Is: []string{"doctor"}, Value: "/number",
//				NotBefore: "/from", NotOnOrAfter: "/until"},
//		},
//		TTL: time.Hour,
//	})
//
// # What is asked
//
// One request for each subject of a query, for all its attributes: GET, or POST with a JSON body. In the address a number of
// the subject is a whole segment of the path or a whole value of the query, in the body a whole string. It is put there
// escaped, and what could leave its segment all the same (a dot segment, a slash, a backslash, a percent sign, which some
// servers and proxies decode twice) is refused before anything is sent: scheme, host, segments and names of parameters are
// those of the configuration, whatever the number holds (H6).
//
// https is demanded, but to loopback. The server's certificate must stand under the authorities of the configuration and no
// others. No proxy is taken from the environment, no redirect followed, nothing decompressed. A bearer token is read again
// when its file changes; one that is taken away is no longer sent, and the source fails.
//
// # What is an answer
//
// A status of [Config.Success] with one JSON text (RFC 8259) as its body: of the content type that is configured, in UTF-8, within
// the limits of size and depth, without a name twice in one object and without half a surrogate pair. Or a status of
// [Config.NotFound]: the service does not know the subject, booleans are denied, other attributes unknown. A gateway whose
// service is gone says 404 too, and would deny the whole country: give [Config.NotFoundAt], so that the service itself must say so.
//
// With [Config.Echo] an answer is about whom the request was only if it says so itself.
//
// Anything else is an error and never a denial: another status, a body that breaks off, a value of another kind (a number for
// a string), a path that leads nowhere. [Mapping.Optional] allows the last for services that leave out what is not so. With
// ByPresence what is not there is false, by its meaning.
//
// An answer ends with the validity that the service tells for its facts, after [Config.TTL] at the latest, and with
// [Config.CacheControl] after its max-age less its Age.
//
// # What this package does not do
//
// It keeps no answers and revalidates none (ETag): a resolver keeps the certified answers, which are smaller and checked. It
// does not repeat a request, but for what net/http does itself with a GET on a connection that was closed while idle.
//
// # What is not said
//
// Addresses, bodies and the token go into no error: they name persons. Errors hold statuses, hosts, and what was wrong.
package httpsource
