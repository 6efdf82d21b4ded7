// Package attrs is the vocabulary of attributes and the way to their certified values: the policy information point (PIP)
// of the seed's Policy Enforcement Model.
//
// # Names
//
// An attribute is named by a [Designator], a name and a namespace, and both count: clients ask
// certificateholder:sortingcenter:nihii-number once in the identification namespace and once in the certified one, and
// these are two attributes (wire document, section 5). A [Catalogue] holds what is known about each: the kind of its value,
// whether a certificate must bear it (identification), by whose number an authentic source is asked for it (certified).
// [EHealth] is the Belgian catalogue; [Catalogue.With] adds to it.
//
// A name may have aliases, in either direction of history: the seed writes …:ehealth:1.0:doctor:boolean where every client
// writes …:doctor:boolean. [Catalogue.Lookup] takes either and gives the same [Definition]. What goes back on the wire is
// the name that was asked, which the caller therefore keeps beside the answer.
//
// # Answers
//
// A [Certified] is one answer of an authentic source about one attribute of one subject: affirmed, denied or unknown, with
// its own validity, its source and the moment at which it was had. On the wire a boolean that is denied or unknown is a
// signed false, and any other unknown is one empty value ([Certified.WireValues]).
//
// A source that cannot answer gives an error, never a denial: a database that is down must not tell the country that nobody
// is a doctor. Every [Source] promises this, and the fault tables of the sources test it.
//
// # Asking
//
// A [Query] holds the proven identification attributes (whose), the wanted definitions (what) and the instant (when). A
// [Resolver] sends each definition to its source, all sources at once, within one budget of time, checks every answer
// against the definition, and keeps answers for a short while. It gives one [Certified] for each definition, in the order
// asked, or one error and nothing else.
//
// A [Route] says what is done when a source does not answer: replicas in order, retries, a [Breaker], kept answers that are
// used a little longer, attributes without which the query is answered all the same. None of it makes an answer that no source
// gave: what cannot be had is an error or, where the configuration says so, [Unresolved].
//
// # What this package does not do
//
// It does not decide who may have an attribute (package policy), does not prove an identification attribute (the sts
// compares it with the certificates, as its [Binding] says), and knows no XML.
package attrs
