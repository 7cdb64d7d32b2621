# Helsebro: `make help` lists what can be made.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

DEVSTACK := internal/devstack
CACHE := $(CURDIR)/.cache
BIN := $(CACHE)/bin
LINT := $(BIN)/golangci-lint
WORKFLOWCHECK := $(BIN)/workflowcheck
GOVULNCHECK := $(BIN)/govulncheck
CYCLONEDX := $(BIN)/cyclonedx-gomod
SOURCES := workflows activities worker starter internal

# Part of the full size at which long tests run; `make proof` is 1.
SCALE ?= 0.05
# Handed to every `go test`, such as TEST='-run Receipt -v'.
TEST ?=
# How long the tests of one package may take.
TIMEOUT ?= 30m

# How long `make fuzz` spends on each target.
FUZZTIME ?= 30s

# Settings of `make run`: what is not given is left to the program's defaults.
RUN_FLAGS := $(if $(DATA),--data '$(abspath $(DATA))') \
	$(if $(TEMPORAL_PORT),--temporal-port $(TEMPORAL_PORT)) \
	$(if $(UI_PORT),--ui-port $(UI_PORT)) \
	$(if $(CODEC_PORT),--codec-port $(CODEC_PORT)) \
	$(if $(API_PORT),--api-port $(API_PORT)) \
	$(if $(SIMULATOR_PORT),--simulator-port $(SIMULATOR_PORT)) \
	$(if $(POSTGRES_PORT),--postgres-port $(POSTGRES_PORT)) \
	$(if $(SINK_PORT),--sink-port $(SINK_PORT)) \
	$(if $(MAIL_PORT),--mail-port $(MAIL_PORT)) \
	$(if $(RABBITMQ_PORT),--rabbitmq-port $(RABBITMQ_PORT)) \
	$(if $(TRANSPORT),--transport $(TRANSPORT))

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo
	@echo "  make run takes DATA=dir (keeps state), TEMPORAL_PORT, UI_PORT, CODEC_PORT, API_PORT, SIMULATOR_PORT, SINK_PORT, MAIL_PORT, POSTGRES_PORT and RABBITMQ_PORT;"
	@echo "  TRANSPORT=amqp goes over RabbitMQ, signed and encrypted;"
	@echo "  HELSEBRO_DATABASE_URL in the environment makes it use that PostgreSQL. make test takes SCALE (now $(SCALE)) and TEST;"
	@echo "  make fuzz takes FUZZTIME (now $(FUZZTIME));"
	@echo "  make bench takes ONLY, such as ONLY=rt,hlt."

.PHONY: run
run: versions ## Run Helsebro with all it needs, play the demo, stay up until Ctrl-C
	@[ -n "$${HELSEBRO_DATABASE_URL:-}" ] || .tools/install-packages postgresql
	@[ '$(TRANSPORT)' != amqp ] || .tools/install-packages rabbitmq-server
	@.tools/build-devstack -o '$(BIN)/helsebro-dev' ./cmd/helsebro-dev
	@exec '$(BIN)/helsebro-dev' $(RUN_FLAGS)

.PHONY: test
test: versions ## Run every test; long ones at SCALE
	@.tools/install-packages libxml2-utils openssl postgresql prometheus rabbitmq-server chromium
	HELSEBRO_SCALE=$(SCALE) go test -timeout $(TIMEOUT) $(TEST) ./...
	@.tools/fuzz 2s ./internal/helsenorge/... ./internal/transport/cms
	@.tools/build-devstack ./...
	cd $(DEVSTACK) && HELSEBRO_SCALE=$(SCALE) go test -count=1 -p 1 -timeout $(TIMEOUT) $(TEST) ./...

.PHONY: fuzz
fuzz: versions ## Fuzz every reader, FUZZTIME each
	@.tools/fuzz '$(FUZZTIME)' ./...

.PHONY: proof
proof: ## Run every test, long ones at full size; fuzz what opens sealed messages 2,000,000 times
	@$(MAKE) test SCALE=1 TIMEOUT=4h
	@.tools/fuzz 2000000x ./internal/transport/cms

.PHONY: check
check: versions $(LINT) $(WORKFLOWCHECK) ## Format, vet, lint, determinism, dependency rule, race tests of both modules
	@.tools/install-packages gcc
	@unformatted=$$(gofmt -l $(wildcard $(SOURCES))); \
		[ -z "$$unformatted" ] || { echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; }
	go mod tidy -diff
	go vet ./...
	'$(LINT)' run --allow-parallel-runners ./...
	'$(WORKFLOWCHECK)' -config .tools/workflowcheck.yml ./workflows/...
	go test -count=1 ./internal/deptest
	go test -race -short -timeout 10m ./...
	@.tools/build-devstack ./...
	cd $(DEVSTACK) && go mod tidy -diff && go vet ./... && '$(LINT)' run --allow-parallel-runners --config ../../.golangci.yml ./...

.PHONY: vuln
vuln: versions $(GOVULNCHECK) ## Look for known vulnerabilities that the code can reach; GOVULNDB is a mirror of the database
	@.tools/install-packages curl
	@go mod verify
	@.tools/vuln '$(GOVULNCHECK)' . '$(DEVSTACK)'

.PHONY: sbom
sbom: versions $(CYCLONEDX) ## Write a bill of materials (CycloneDX) of each program to .cache/sbom
	@mkdir -p '$(CACHE)/sbom'
	@for program in worker starter; do \
		'$(CYCLONEDX)' app -json -licenses -main ./$$program -output '$(CACHE)/sbom/'$$program.cdx.json . 2>'$(CACHE)/sbom/'$$program.log \
			|| { cat '$(CACHE)/sbom/'$$program.log >&2; exit 1; }; \
		echo '$(CACHE)/sbom/'$$program.cdx.json; \
	done

.PHONY: requirements
requirements: versions ## One line per requirement of the customer's page: pass, fail or heading, and the test that holds it
	@.tools/install-packages libxml2-utils postgresql
	@.tools/build-devstack -o '$(BIN)/helsebro-requirements' ./cmd/helsebro-requirements
	@cd $(DEVSTACK) && { go test -json -count=1 -timeout 20m -run '^TestRequirements$$' ./e2e || true; } | '$(BIN)/helsebro-requirements' S1-S94

.PHONY: bench-messages
bench-messages: versions ## Measure messages: read, checked beside xmllint, sealed and opened beside openssl, over RabbitMQ
	@.tools/install-packages libxml2-utils openssl
	go test ./internal/helsenorge -run '^$$' -bench Read
	go test ./internal/transport/cms -run '^$$' -bench .
	@.tools/install-packages rabbitmq-server
	cd $(DEVSTACK) && go test ./rabbitmq -run '^$$' -bench .
	go test ./starter/cli -run '^$$' -bench MessageCheck -benchtime 10x

.PHONY: bench
bench: versions ## Measure messages, appointments and reminders against bare Temporal on this machine
	@[ -n "$${HELSEBRO_DATABASE_URL:-}" ] || .tools/install-packages postgresql
	@[ '$(TRANSPORT)' != amqp ] || .tools/install-packages rabbitmq-server
	@.tools/build-devstack -o '$(BIN)/helsebro-bench' ./cmd/helsebro-bench
	@exec '$(BIN)/helsebro-bench' $(if $(POSTGRES_PORT),--postgres-port $(POSTGRES_PORT)) $(if $(ONLY),--only '$(ONLY)')

.PHONY: screenshots
screenshots: versions ## Take the README's pictures of the Temporal UI anew, in a headless Chromium
	@.tools/install-packages postgresql chromium
	@.tools/build-devstack -o '$(BIN)/helsebro-screenshots' ./cmd/helsebro-screenshots
	@'$(BIN)/helsebro-screenshots' .docs

.PHONY: fmt
fmt: ## Format the Go files
	gofmt -s -w $(wildcard $(SOURCES))

.PHONY: replay-fixtures
replay-fixtures: versions ## Record the workflow histories that replay tests check anew (until v0.1 only)
	@.tools/install-packages postgresql
	@.tools/build-devstack ./...
	cd $(DEVSTACK) && HELSEBRO_RECORD=1 go test -count=1 -p 1 -timeout 15m -run '^TestRecord' ./...
	go test -count=1 -run Replay ./workflows/...

.PHONY: compose-env
compose-env: versions ## Write the keys (.env) and the demo clinic's files for docker compose (never over old ones)
	@.tools/compose-env
	@go run ./starter demo init .docker/config

.PHONY: compose-config
compose-config: ## Let docker compose check docker-compose.yml and .env
	docker compose config --quiet

.PHONY: clean
clean: ## Remove what was built and downloaded here (not the Go caches, not DATA)
	rm -rf '$(CACHE)'

.PHONY: versions
versions:
	@.tools/require-versions

# The linters have their own module, so that the product requires none of them.
$(LINT): .tools/go.mod .tools/go.sum
	@echo "building golangci-lint: the first time takes some minutes"
	@cd .tools && GOBIN='$(BIN)' nice -n 10 go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch '$@'

$(GOVULNCHECK): .tools/go.mod .tools/go.sum
	@cd .tools && GOBIN='$(BIN)' nice -n 10 go install golang.org/x/vuln/cmd/govulncheck
	@touch '$@'

$(CYCLONEDX): .tools/go.mod .tools/go.sum
	@cd .tools && GOBIN='$(BIN)' nice -n 10 go install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
	@touch '$@'

$(WORKFLOWCHECK): .tools/go.mod .tools/go.sum
	@cd .tools && GOBIN='$(BIN)' nice -n 10 go install go.temporal.io/sdk/contrib/tools/workflowcheck
	@touch '$@'
