// Package federation decides whether an entity of an OpenID Federation (1.0, final) is trusted, and with which metadata; and
// publishes what we say of ourselves and, as an authority, of others.
//
//	Resolver.Resolve ──▶ Resolved       chain to a pinned anchor, constraints, metadata after policy, trust marks
//	Resolver.Client ───▶ Registration   a relying party that registers by being named (automatic registration)
//	Publisher ─────────▶ http.Handler   our entity configuration, and the endpoints of an authority
//
// # What is trusted
//
// The keys of the trust anchors in the configuration, and nothing else: an anchor is its pinned keys, not its address. A chain is
// found upwards and believed downwards. Upwards only entity configurations are read, each from the address that its identifier
// names, and each must be about just that entity: whoever serves a statement about another is no authority of that name. Downwards
// every statement is verified with keys that the one above vouches for, so that a fetch endpoint is asked only once the entity
// that names it is known. Only https is spoken, no redirect is followed, and addresses that are not public are contacted only if
// the configuration admits their network.
//
// A resolution has a budget: statements, octets, hints, depth and time. Who exceeds it is not trusted. Resolutions under way are
// limited too, since any stranger starts one by naming himself in an authorization request.
//
// # What is refused though the standard admits it
//
// A statement or policy with two members of one name anywhere in it. A critical claim or a critical policy operator, of any name:
// none beyond the standard's is understood here. A trust mark whose type the anchor does not list. A trust mark that never expires
// and whose issuer answers nothing about its status. A relying party that would authenticate with a shared secret, or not at all.
//
// # What is not done
//
// Explicit registration; extra policy operators; historical keys of others (a chain is verified with the keys of today);
// authentication at federation endpoints.
package federation
