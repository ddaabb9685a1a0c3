# Everything a developer or a packager runs. "make" lists the targets.

GO       ?= go
VERSION  ?= $(shell git describe --tags --match 'v*' --dirty 2>/dev/null || echo devel)
COMMIT   ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

# Where "make install" puts things; DESTDIR is put in front of each, for packages.
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSUSERDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILEDIR ?= $(PREFIX)/lib/tmpfiles.d
DOCDIR     ?= $(PREFIX)/share/doc/ganeti-cache-updater
# The program to install, where it is not the one that runs here.
BINARY     ?= bin/updater

FUZZTIME  ?= 60s
HOSTILE   ?= 10000
BENCH     ?= .
BENCH_ARGS ?=
DEMO_ARGS ?=
CHAOS_ARGS    ?= -for 2m
SOAK_ARGS     ?= -for 15m
NEIGHBOURS_ARGS ?=
FAILOVER_ARGS ?= -for 60s
CLOCKS_ARGS   ?=
CRASH_ARGS    ?= -moments 200
E2E_ARGS      ?=
NIGHTLY       ?=
GRAFANA_ARGS  ?=
SCALE_ARGS    ?=
TEST_ARGS ?=
DEB_ARCHS ?= amd64 arm64
DEB_CHECK_ARGS ?=
DOCS_CHECK_ARGS ?=
# What the documents' commands are typed with, and what they call.
DOCS_NEED := bash=bash ip=iproute2 setpriv=util-linux git=git psql=postgresql-client sqlite3=sqlite3 curl=curl openssl=openssl \
	python3=python3-minimal systemd-sysusers=systemd

GOLANGCI_LINT_VERSION := v2.15.0
GOLANGCI_LINT         := bin/golangci-lint-$(GOLANGCI_LINT_VERSION)

DEADCODE_VERSION := v0.52.0
DEADCODE         := bin/deadcode-$(DEADCODE_VERSION)

OAPI_CODEGEN_VERSION := v2.8.2
OAPI_CODEGEN         := bin/oapi-codegen-$(OAPI_CODEGEN_VERSION)

NFPM_VERSION := v2.45.2
NFPM         := bin/nfpm-$(NFPM_VERSION)

# The commit is handed over by name: Go's own stamp fails where git distrusts the folder's owner.
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)

.DEFAULT_GOAL := help
# A recipe that fails halfway leaves no file that looks finished.
.DELETE_ON_ERROR:

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## Build, then refresh three simulated clusters into a SQLite file (DEMO_ARGS="--for 10s")
	bin/updater demo $(DEMO_ARGS)

.PHONY: build
build: ## Build bin/updater: static, with version and commit
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/updater ./cmd/updater

.PHONY: test
test: ## Run all tests; installs PostgreSQL and a C compiler if missing and root (TEST_ARGS="-run X")
	@.ci/need postgres
	@race=$$(.ci/need race) && set -x && $(GO) test $$race -shuffle=on -timeout 20m $(TEST_ARGS) ./...

.PHONY: test-postgres17
test-postgres17: ## Run the tests that use PostgreSQL on PostgreSQL 17, in a Debian 13 of its own (kept); needs root and mmdebstrap
	@deploy/need root mmdebstrap=mmdebstrap
	GO='$(GO)' .ci/postgres17 $(TEST_ARGS)

.PHONY: check
check: tidy-check fmt-check vet lint deadcode build schema-check ## Run every check that needs no database: format, vet, lint, dead code, modules, build, schema

.PHONY: tidy-check
tidy-check:
	$(GO) mod tidy -diff

.PHONY: fmt-check
fmt-check: $(GOLANGCI_LINT)
	$(GOLANGCI_LINT) fmt --diff

.PHONY: vet
vet:
	$(GO) vet ./...

.PHONY: schema-check
schema-check: build
	@bin/updater schema print --dialect postgres | diff -u schema.sql - || { echo 'schema.sql is older than the migrations: run make schema' >&2; exit 1; }

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Run golangci-lint, installing it into bin/ first if missing
	$(GOLANGCI_LINT) config verify
	$(GOLANGCI_LINT) run

# A tool of its own version and not a dependency in go.mod: its hundreds of modules are not ours.
$(GOLANGCI_LINT):
	GOBIN=$(CURDIR)/bin/install CGO_ENABLED=0 $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv bin/install/golangci-lint $@ && rmdir bin/install

# What the command does not reach is dead, but for the simulator, which is there for tests, and what .ci/deadcode.allow names.
.PHONY: deadcode
deadcode: $(DEADCODE) ## List functions that only tests call; what is meant to be so stands in .ci/deadcode.allow
	@$(DEADCODE) -f '{{range .Funcs}}{{$$.Path}}.{{.Name}}{{"\n"}}{{end}}' ./cmd/... > bin/deadcode.txt
	@grep -v '^ganeticache/ganeti/rapisim\.' bin/deadcode.txt | grep . | LC_ALL=C sort | diff -u .ci/deadcode.allow - || \
		{ echo 'with + above: only tests call it, so remove it, or add it to .ci/deadcode.allow; with -: it is called, so take it off' >&2; exit 1; }

$(DEADCODE):
	GOBIN=$(CURDIR)/bin/install CGO_ENABLED=0 $(GO) install golang.org/x/tools/cmd/deadcode@$(DEADCODE_VERSION)
	mv bin/install/deadcode $@ && rmdir bin/install

.PHONY: fmt
fmt: $(GOLANGCI_LINT) ## Format all Go files
	$(GOLANGCI_LINT) fmt

.PHONY: schema
schema: build ## Write schema.sql anew from the PostgreSQL migrations
	bin/updater schema print --dialect postgres > schema.sql.new
	mv schema.sql.new schema.sql

.PHONY: docs
docs: ## Write the reference in docs/configuration.md anew from the code
	$(GO) test ./config -run '^TestReference_Document$$' -update

.PHONY: client
client: build $(OAPI_CODEGEN) ## Check the API's OpenAPI document, generate a client from it, and read VMs with that
	.ci/client $(OAPI_CODEGEN)

$(OAPI_CODEGEN):
	GOBIN=$(CURDIR)/bin/install CGO_ENABLED=0 $(GO) install github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@$(OAPI_CODEGEN_VERSION)
	mv bin/install/oapi-codegen $@ && rmdir bin/install

.PHONY: bench
bench: build ## The updater beside its floor and the peers: an hour, into bench/results (BENCH_ARGS="-quick")
	@.ci/need postgres
	$(GO) run ./bench -updater bin/updater $(BENCH_ARGS)

.PHONY: bench-scale
bench-scale: build ## One million VMs on 1,000 clusters, into bench/results/scale.md (SCALE_ARGS="-clusters 10")
	@.ci/need postgres
	$(GO) run ./bench/scale -updater bin/updater $(SCALE_ARGS)

.PHONY: microbench
microbench: ## Run the benchmarks of single functions, for benchstat (BENCH=pattern)
	@.ci/need postgres
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 60m ./...

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (60s), and try 10,000 damaged answers on each database
	@.ci/need postgres
	HOSTILE=$(HOSTILE) $(GO) test -count=1 -run '^TestHostile_Mutants$$' -timeout 60m -v ./updater
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "+ $$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 100x $$package; \
		done; \
	done

.PHONY: chaos
chaos: build ## Storms over replicas, PostgreSQL and clusters; counts what is lost (CHAOS_ARGS="-for 30m -skew 3s")
	@.ci/need postgres
	$(GO) run ./test/chaos -updater bin/updater $(CHAOS_ARGS)

.PHONY: soak
soak: build ## 200 clusters for 15 minutes: memory, goroutines, files, connections (SOAK_ARGS="-for 3m")
	@.ci/need postgres
	$(GO) run ./test/soak -updater bin/updater $(SOAK_ARGS)

.PHONY: neighbours
neighbours: build ## 1,000 clusters of which up to 900 hang or drip: what the others notice (NEIGHBOURS_ARGS="-small")
	@.ci/need postgres
	$(GO) run ./test/neighbours -updater bin/updater $(NEIGHBOURS_ARGS)

.PHONY: crash
crash: build ## kill -9 at random moments of a refresh, both databases (CRASH_ARGS="-moments 20")
	@.ci/need postgres
	$(GO) run ./test/crash -updater bin/updater $(CRASH_ARGS)

.PHONY: clocks
clocks: build ## Clocks of updaters and of PostgreSQL that are set while they run; needs Debian's faketime (CLOCKS_ARGS="-parallel 2")
	@.ci/need postgres
	@.ci/need faketime
	$(GO) run ./test/clocks $(CLOCKS_ARGS)

.PHONY: failover
failover: build ## Two PostgreSQL servers, promotion under load (FAILOVER_ARGS="-for 5m")
	@.ci/need postgres
	$(GO) run ./test/failover -updater bin/updater $(FAILOVER_ARGS)

.PHONY: e2e
e2e: build ## A real Ganeti cluster that changes and misbehaves; needs root and Debian's packages (E2E_ARGS="-suite trixie")
	$(GO) run ./test/realganeti -updater bin/updater $(E2E_ARGS)

.PHONY: nightly
nightly: ## The long trials one after the other, and a summary: hours, as root on Debian (NIGHTLY="chaos e2e")
	.ci/nightly $(NIGHTLY)

.PHONY: prometheus-check
prometheus-check: ## Check the Prometheus rules and the documents' PromQL, and run the rules' tests; needs promtool
	@deploy/need promtool=prometheus
	promtool check rules deploy/prometheus/rules.yml
	promtool test rules deploy/prometheus/rules_test.yml
	@mkdir -p bin
	deploy/prometheus/documented > bin/documented.yml
	promtool check rules bin/documented.yml

.PHONY: docs-check
docs-check: build ## Type every command of the documents on a copy of this machine that is thrown away; needs root
	@.ci/need postgres
	@deploy/need root $(DOCS_NEED)
	$(GO) run ./test/documents/try $(DOCS_CHECK_ARGS)

.PHONY: grafana-check
grafana-check: build ## Run every query of the dashboards on a living demo with Prometheus and PostgreSQL, and on 1,000 clusters
	@.ci/need postgres
	@deploy/need prometheus=prometheus psql=postgresql-client
	$(GO) run ./test/grafana -updater bin/updater $(GRAFANA_ARGS)

.PHONY: install
install: ## Install binary, units, man pages, completions and an example configuration (DESTDIR, PREFIX); builds if needed
	@test -x bin/updater || $(MAKE) build
	install -D -m 0755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/ganeti-cache-updater
	@# Not by the installed binary: it may be for another machine.
	bin/updater package-files $(DESTDIR)$(PREFIX)/share
	install -d $(DESTDIR)$(UNITDIR)
	for unit in deploy/systemd/*.service deploy/systemd/*.timer; do \
		sed 's|/usr/bin/|$(PREFIX)/bin/|; s|/usr/share/doc/ganeti-cache-updater|$(DOCDIR)|' "$$unit" > $(DESTDIR)$(UNITDIR)/"$${unit##*/}" || exit 1; \
		chmod 0644 $(DESTDIR)$(UNITDIR)/"$${unit##*/}" || exit 1; \
	done
	install -D -m 0644 deploy/systemd/ganeti-cache-updater.sysusers $(DESTDIR)$(SYSUSERDIR)/ganeti-cache-updater.conf
	install -D -m 0644 deploy/systemd/ganeti-cache-updater.tmpfiles $(DESTDIR)$(TMPFILEDIR)/ganeti-cache-updater.conf
	install -d $(DESTDIR)$(DOCDIR)/examples/prometheus
	install -m 0644 README.md CHANGELOG.md LICENSE docs/*.md $(DESTDIR)$(DOCDIR)
	install -m 0644 deploy/systemd/config.yaml deploy/systemd/environment deploy/postgresql/*.sql deploy/coming-from-gwm/*.sql $(DESTDIR)$(DOCDIR)/examples
	install -m 0644 deploy/prometheus/rules.yml $(DESTDIR)$(DOCDIR)/examples/prometheus
	for file in $$(cd deploy && find grafana -type f); do \
		install -D -m 0644 "deploy/$$file" $(DESTDIR)$(DOCDIR)/examples/"$$file" || exit 1; \
	done
	@# Never over what somebody has edited.
	test -e $(DESTDIR)$(SYSCONFDIR)/ganeti-cache-updater/config.yaml || \
		install -D -m 0644 deploy/systemd/config.yaml $(DESTDIR)$(SYSCONFDIR)/ganeti-cache-updater/config.yaml
	test -e $(DESTDIR)$(SYSCONFDIR)/default/ganeti-cache-updater || \
		install -D -m 0640 deploy/systemd/environment $(DESTDIR)$(SYSCONFDIR)/default/ganeti-cache-updater

.PHONY: clean
clean: ## Remove what the other targets made
	rm -rf bin dist schema.sql.new ganeti-cache-demo.db*

.PHONY: deb
deb: build $(NFPM) ## Build Debian packages in bin/deb: static, the same bytes for the same commit (DEB_ARCHS=amd64)
	NFPM=$(NFPM) VERSION=$(VERSION) COMMIT=$(COMMIT) LDFLAGS='$(LDFLAGS)' deploy/debian/build $(DEB_ARCHS)

# Like the linter no dependency in go.mod. Versions from 2.46 on need a module for Windows packages that proxies may lack.
$(NFPM):
	GOBIN=$(CURDIR)/bin/install CGO_ENABLED=0 $(GO) install github.com/goreleaser/nfpm/v2/cmd/nfpm@$(NFPM_VERSION)
	mv bin/install/nfpm $@ && rmdir bin/install

.PHONY: deb-check
deb-check: build $(NFPM) ## Install, configure, upgrade, remove and purge the package in a Debian of its own, and lint it; needs root
	@deploy/need root mmdebstrap=mmdebstrap lintian=lintian dpkg-deb=dpkg
	NFPM=$(NFPM) VERSION=$(VERSION) COMMIT=$(COMMIT) LDFLAGS='$(LDFLAGS)' $(GO) run ./test/package $(DEB_CHECK_ARGS)

.PHONY: systemd-check
systemd-check: build ## Check the units with systemd-analyze: no complaint, exposure of 1.5 at most
	@deploy/need systemd-analyze=systemd
	deploy/systemd/check

# Container image, manifests and release. The time of the commit stands for all times in what is built.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
IMAGE := bin/image/ganeti-cache-updater_$(VERSION:v%=%)_oci.tar

CYCLONEDX_GOMOD_VERSION := v1.10.0
CYCLONEDX_GOMOD         := bin/cyclonedx-gomod-$(CYCLONEDX_GOMOD_VERSION)

.PHONY: binaries
binaries: ## Build static binaries for each architecture of a release in bin/linux
	for arch in amd64 arm64; do \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -trimpath -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/linux/updater-$$arch ./cmd/updater || exit 1; \
	done

.PHONY: image
image: binaries ## Build the container image for both architectures as one OCI archive in bin/image, without Docker
	mkdir -p $(dir $(IMAGE))
	$(GO) -C deploy/container run . -out $(CURDIR)/$(IMAGE) -version $(VERSION) -commit $(COMMIT) -time $(SOURCE_DATE_EPOCH) \
		amd64=$(CURDIR)/bin/linux/updater-amd64 arm64=$(CURDIR)/bin/linux/updater-arm64

.PHONY: image-check
image-check: image ## Read the image's archive and say what is wrong with it; build it twice; as root run the updater in it
	$(GO) run ./test/image $(IMAGE)
	mv $(IMAGE) $(IMAGE).first
	$(MAKE) --no-print-directory image
	cmp $(IMAGE) $(IMAGE).first && rm $(IMAGE).first

.PHONY: manifests-check
manifests-check: build ## Check deploy/kubernetes, compose and grafana against the types of Kubernetes, Compose and Grafana
	$(GO) -C test/manifests test ./... -count=1 -updater $(CURDIR)/bin/updater

# Like the linter no dependency in go.mod.
$(CYCLONEDX_GOMOD):
	GOBIN=$(CURDIR)/bin/install CGO_ENABLED=0 $(GO) install github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(CYCLONEDX_GOMOD_VERSION)
	mv bin/install/cyclonedx-gomod $@ && rmdir bin/install

.PHONY: release
release: $(CYCLONEDX_GOMOD) ## Build all that is published in dist: binaries, image, packages, SBOMs, checksums; the same bytes for the same commit
	rm -rf dist && mkdir dist
	$(MAKE) --no-print-directory image
	cp $(IMAGE) dist
	CYCLONEDX_GOMOD=$(CYCLONEDX_GOMOD) VERSION=$(VERSION) SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) deploy/release
	$(MAKE) --no-print-directory deb
	cp bin/deb/*.deb dist
	cd dist && sha256sum * > SHA256SUMS
