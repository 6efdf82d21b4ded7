// Package judge asks other people's programs what they say: xmllint (libxml2),
// xmlsec1, the JDK's XML signature code, and what a test has for Python. Tests compare our answers with theirs.
//
// The programs are no part of the project. A test that wants one begins with
// [Require], which skips it on a machine without the program, and fails it there
// when SCEAU_REQUIRE_EXTERNAL is 1, as it is where the checks decide.
//
// A judge answers about many documents at once where its program can, because
// starting it costs more than judging. The judges know nothing of our packages.
package judge
