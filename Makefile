# The commands of this project under short names. Nothing here is needed: each is what the README or .ci/run runs.

.PHONY: build test race fuzz bench lint ci demo

# Programs, into bin/.
build:
	go build -o bin/ ./cmd/...

test:
	go test ./...

race:
	go test -race ./...

# One target for as long as wanted: make fuzz PACKAGE=./xmlsec/xmltext TARGET=FuzzParse TIME=10m
PACKAGE ?= ./xmlsec/xmltext
TARGET ?= FuzzParse
TIME ?= 1m
fuzz:
	go test -run='^$$' -fuzz='^$(TARGET)$$' -fuzztime=$(TIME) $(PACKAGE)

# The benchmarks that the README quotes.
bench:
	go test ./bench -run '^$$' -bench 'Ratio|Stage|HTTP|Admit|Journal|Growth|Token' -benchtime 60x -timeout 30m -table -

lint:
	test -z "$$(gofmt -l .)"
	go vet ./...
	go run honnef.co/go/tools/cmd/staticcheck@v0.7.0 -checks inherit,-SA1019 ./...

# All that must hold before a change lands; installs the judges where they are missing.
ci:
	.ci/run

demo:
	go run ./cmd/stsd demo
