// Package ldapsource is a directory as an authentic source of attributes: LDAP v3 (RFC 4511), Active Directory included. It
// implements [attrs.Source].
//
//	source, err := ldapsource.Open(ldapsource.Config{
//		ID:      "directory",
//		Servers: []string{"ldaps://ldap1.example.org", "ldaps://ldap2.example.org"},
//		TLS:     remote.TLS{CAFile: "directory-ca.pem"},
//		BindDN:  "cn=sts,dc=example,dc=org", PasswordFile: "directory.pass",
//		BaseDN:  "ou=people,dc=example,dc=org", Scope: ldapsource.WholeSubtree,
//		Filters: map[attrs.SubjectType]string{attrs.SubjectSSIN: "(&(objectClass=person)(employeeNumber={ssin}))"},
//		Mappings: []ldapsource.Mapping{
//			{Definition: doctor, Rule: ldapsource.ByGroup, Group: "cn=doctors,ou=groups,dc=example,dc=org"},
//			{Definition: surname, Attribute: "sn"},
//		},
//		TTL: time.Hour,
//	})
//
// # What is asked
//
// One search for each subject of a query, for all its attributes, with a size limit of two and a time limit; one more for each
// group that is asked itself ([Mapping.Member]). All of them go to one server. Aliases are not followed.
//
// A filter is a template, read once. The number of the subject stands in it as {ssin}, {nihii}, {cbe} or {ehp}, as the whole
// value of an equality match that holds of every entry found: below "and" alone. It is put there escaped (RFC 4515 section
// 3), so that no number, whatever it holds, changes what the filter says (H6). Then the entry must have that very number
// among its values: a directory that compares without regard to case or blanks, or that answers what was not asked,
// certifies nothing about anybody.
//
// # What is an answer
//
// No entry: booleans are denied, other attributes unknown. The same for an entry that lacks the LDAP attribute; note that a
// directory keeps an attribute that the bind DN may not read as silently as one that is not there: grant it the attributes that
// are mapped. The attribute with the number is proof against the crudest mistake, since every entry must show it.
//
// More than one entry, a referral or a continuation reference (the entry may be elsewhere), a value that is not one of its
// kind, too large, binary or delivered in ranges (Active Directory, over 1500 values: let the group be asked instead), an
// attribute under another name than the one asked (commonName for cn) are all a bad answer, and an error: never a denial. So
// is, as an outage, whatever keeps the source from looking. Below the root of an Active Directory domain there are always
// references: choose a base below it, or the port of the global catalogue.
//
// Groups within groups are not followed. The DN of a group is compared by the rules of names, without regard to case.
//
// An answer ends with the validity of the facts behind it, where LDAP attributes tell one, and after [Config.TTL] at the
// latest. A directory does not tell of its changes: a resolver keeps its answers for as long as it is configured to.
//
// # Connections
//
// LDAP over TLS, or StartTLS, or to loopback plain; TLS 1.2 or later, under the authorities of the configuration and no others.
// Connections to each server are bounded in number, used by one question at a time, tried before use after they were idle,
// closed after they were idle for long, and made and bound anew after their lifetime. A question that fails on a connection
// which was used before is put once more on a new one; then to the next server, with a fair share of the time that is left.
// A server that failed is asked last for a while. Rejected credentials end the attempt everywhere, since each try counts
// towards locking the account; nothing else is repeated. When the context ends the socket is closed, whatever the server does.
//
// # What is not said
//
// Messages of the directory, entry names and filters go into no error: they name persons. Errors hold the server, what was
// being done, and the result code.
package ldapsource
