// Package vector holds what tests are fed with: the reader of the vector kit in
// testdata, and a generator of XML documents.
//
// # The kit
//
// A vector is one file, NAME.txtar: a header of "key: value" lines, an empty line,
// and then one or more files, each after a line "-- name --". The bytes of a file
// run up to the next such line or the end, the last newline included.
//
//	expect: duplicate attribute
//	attack: D4
//	comment: a second ID that only a lenient reader sees would move the reference
//
//	-- message.xml --
//	<a ID="x" ID="y"/>
//
// The keys are
//
//	expect    required: what the code under test must answer, in its own words
//	comment   required: what the case would have achieved, or shows
//	attack    the id in the list of attacks
//	now       the clock, RFC 3339
//	escaped   "yes": the files are written with Go escapes (\xFF, \t, \\), and
//	          newlines in them mean nothing; for octets that no editor keeps
//
// and those that the caller names. An unknown key, a repeated one, a missing
// required one and an empty folder are errors: a vector that is not read must not
// look like a vector that passed.
//
// # The generator
//
// [Generate] makes a well-formed document out of a stream of choices, so that the
// same code serves a corpus with a fixed seed ([Documents]), property tests and
// fuzzing.
package vector
