// Command load puts a token service under load: real messages, each with its own Timestamp, ids
// and signatures, from many consumers with their own certificates; every answer is checked.
// bench/README.md tells how to measure honestly with it.
//
//	go run ./bench/load --quick              a server of its own, half a minute
//	go run ./bench/load scenario list        the examples
//	go run ./bench/load run SCENARIO         an example by its name, or a file
//	go run ./bench/load init DIR             certificates, registry and policy for a server elsewhere
//	go run ./bench/load prepare SCENARIO --messages FILE
//	go run ./bench/load report FILE.json --html FILE
//
// The summary is written to standard output, what goes on meanwhile to standard error.
//
// Exit statuses:
//
//	0  all holds
//	1  a wrong answer, a lost message, a broken expectation, a server that failed, or an interrupted run
//	2  a wrong command line or scenario
//	3  the generator was the bottleneck in a phase that forbids it: its figures say nothing
package main
