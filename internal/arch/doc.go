// Package arch is the import wall: which package of this module may import which, and
// who may use which third-party module. The rules are the file wall.txt; the test of
// this package reads every Go source of the module and compares.
//
// It fails on an arrow that the file does not have, and on one that the file has and
// the sources do not: the file is a picture of the house, not a list of permissions.
// A new arrow is a design decision, with its reason in the commit.
//
// # wall.txt
//
// Lines of "name: names", in sections; # begins a comment. Packages are named by their
// folder.
//
//	[floors]       which package stands on which floor, 0 is the ground; the floor
//	               "tests" holds the packages made for tests
//	[arrows]       package: what it imports of this module, outside its tests
//	[test arrows]  package: what its tests import beyond what tests always may
//	[modules]      third-party module: who imports it; "tests" is every test
//	[standard]     package of the standard library that not everybody may import: who
//	               does; name{A,B} admits only these identifiers of it outside tests
//
// # What no line can admit
//
//   - An arrow goes to a lower floor, or stays in its family: the packages below one
//     top-level folder. So messages never import each other, nor do actors, and the
//     ground imports nothing of another family.
//   - Only tests, and packages made for tests, import a package made for tests.
//   - Every package stands on a floor.
//
// # Tests
//
// The tests of a package may import what the package rests on, directly or not, the
// packages made for tests, and the ground; those of a program (the highest floor) all
// that stands below it, since they play a program against the others. Anything else is
// a test arrow.
//
// Files behind build tags count, whatever the tags, except those that "ignore" keeps out
// of every build: somebody builds them.
package arch
