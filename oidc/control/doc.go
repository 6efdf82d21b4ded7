// Package control shows an authority which policies are in force and how often they were applied (EXI FI 28, RECO FI 04), without
// a request to the establishment:
//
//	GET /control/v1/policy        the indicators in force: session life, means, amr sets, strength, for each client
//	GET /control/v1/counts        events by day, means, amr set, client and outcome, counted from the audit trail
//	GET /control/v1/openapi.json  the same for programs
//
// The same is had without a server: [WriteText], [WriteCSV] and the types as JSON; texts are in French, since the authority is.
//
// # Who may read
//
// Whoever has one of the tokens of the [Config], or shows one of its certificates in TLS. They open nothing else, and nothing
// else opens this. Every answer is recorded before it leaves. There is nothing to write to.
//
// # What it holds
//
// [Indicators] is configuration: no secret and no person. Counts are of events, never of persons, and hold only names that the
// configuration or a success gave, so what strangers send adds none. Counts of an answer that are below Config.Least (five, unless said
// otherwise) are not told: a rare means on a quiet day may be one person. That spares a reader what he did not ask for; it is no protection from one
// who compares many answers, and no promise of anonymity: the authority is entitled to what it reads. Days are in UTC.
package control
