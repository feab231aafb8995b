# What a clone needs: `make run` for the demo, `make test` for the tests. `make help` tells the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
PYTHON := run/venv/bin/python
SOURCES := Package.swift Sources Tests Benchmarks Examples

# Debian's packages. libpq, libyaml, the server whose programs the demo and the tests start, and redis-cli to ask with.
PACKAGES := libpq-dev libyaml-dev pkg-config postgresql redis-tools
TEST_PACKAGES := $(PACKAGES) redis-server python3-venv socat spin gcc libc6-dev chromium $(CLIENT_PACKAGES) libc-ares2 libevent-2.1-7
# Clients in other languages that the tests ask with.
CLIENT_PACKAGES := php-cli php-redis ruby ruby-redis nodejs node-redis golang-go golang-github-gomodule-redigo-dev
BENCH_PACKAGES := $(PACKAGES) redis-server

APT_INSTALL := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends

# Installs those of the packages $(1) that are missing, and touches nothing when none is. A new PostgreSQL gets no
# cluster of the system's, since pgsidecar starts private ones; clusters that exist are left alone.
define install
missing=(); \
for package in $(1); do \
    dpkg-query -W -f '$${Status}' "$$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$$package"); \
done; \
if (( $${#missing[@]} )); then \
    echo "installing: $${missing[*]}"; \
    $(SUDO) apt-get update -q; \
    if [[ " $${missing[*]} " == *" postgresql "* ]]; then \
        $(APT_INSTALL) postgresql-common; \
        $(SUDO) sed -ri 's/^#?(create_main_cluster) *=.*/\1 = false/' /etc/postgresql-common/createcluster.conf; \
    fi; \
    $(APT_INSTALL) "$${missing[@]}"; \
fi
endef

.NOTPARALLEL:
.PHONY: help run build install deb test-deb man link-order test test-swift test-tsan test-examples documentation fuzz prove verify lint format docs bench hit-ratio deps deps-test deps-bench clean

help: ## Tell what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' \
	    | while IFS=$$'\t' read -r name text; do printf '  make %-13s %s\n' "$$name" "$$text"; done
	@echo
	@echo '  DATABASE_URL=postgresql:///app make run    the same demo with a database of yours, which is only read'

run: deps build ## Install what is missing, build, and serve the demo from a private PostgreSQL
	.build/release/pgsidecar demo

# Without symbols, which are half of it; STRIP= keeps them, for perf and debuggers.
STRIP := -Xlinker --strip-all

# A release leaves out the check at run time that no two accesses to a field of a class overlap: debug builds, in which the
# tests run, have it. It can't stand in Package.swift: what uses the libraries as a package would be refused for such a flag.
# Nor can that each function is a section of its own, which the linker can put where it should stand.
RELEASE := -c release -Xswiftc -enforce-exclusivity=unchecked -Xswiftc -Xfrontend -Xswiftc -function-sections

# Some 4 MB less of the program are in memory when it is idle: what has to be relocated as it starts is written in a twentieth of
# the room (the linker of the toolchain can do that, and glibc from 2.36 on reads it), and no names are exported, since the
# program loads no library that could ask for them.
#
# And 4 MB less since what runs as it starts and serves, 1 MB of 17, stands side by side: the kernel maps 64 KiB around each
# function that is called first. Names in the list that the program has no more do no harm.
LINK := -Xswiftc -use-ld=lld -Xlinker -z -Xlinker pack-relative-relocs -Xlinker --no-export-dynamic \
    -Xlinker --symbol-ordering-file='$(CURDIR)/Packaging/link-order' -Xlinker --no-warn-symbol-ordering

build: ## Build pgsidecar in release mode: .build/release/pgsidecar
	swift build $(RELEASE) --product pgsidecar --static-swift-stdlib $(LINK) $(STRIP)

# Where an installation goes. A package has PREFIX=/usr, and DESTDIR before it.
PREFIX := /usr/local
SYSTEMDDIR := $(PREFIX)/lib/systemd/system
ZSHDIR := $(PREFIX)/share/zsh/site-functions
PROGRAM := .build/release/pgsidecar
TO := $(DESTDIR)$(PREFIX)

install: ## Install what make build made: PREFIX=/usr/local DESTDIR= . The service is not started
	@[ -x $(PROGRAM) ] || { echo 'there is no $(PROGRAM): run make build first'; exit 1; }
	install -D $(PROGRAM) $(TO)/bin/pgsidecar
	install -D -m 0644 Packaging/pgsidecar.1 $(TO)/share/man/man1/pgsidecar.1
	mkdir -p $(TO)/share/bash-completion/completions $(TO)/share/fish/vendor_completions.d $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(SYSTEMDDIR)
	$(PROGRAM) --generate-completion-script bash > $(TO)/share/bash-completion/completions/pgsidecar
	$(PROGRAM) --generate-completion-script fish > $(TO)/share/fish/vendor_completions.d/pgsidecar.fish
	$(PROGRAM) --generate-completion-script zsh > $(DESTDIR)$(ZSHDIR)/_pgsidecar
	sed 's,/usr/bin/,$(PREFIX)/bin/,; s,/usr/share/,$(PREFIX)/share/,' Config/pgsidecar.service > $(DESTDIR)$(SYSTEMDDIR)/pgsidecar.service
	install -m 0644 Config/pgsidecar.socket $(DESTDIR)$(SYSTEMDDIR)
	install -D -m 0644 Packaging/sysusers.conf $(TO)/lib/sysusers.d/pgsidecar.conf
	install -D -m 0644 Packaging/tmpfiles.conf $(TO)/lib/tmpfiles.d/pgsidecar.conf
	install -D -m 0644 -t $(TO)/share/doc/pgsidecar README.md CHANGELOG.md docs/*.md Config/minimal.yaml Config/prometheus/alerts.yml Config/grafana/pgsidecar.json
	install -D -m 0644 LICENSE $(TO)/share/doc/pgsidecar/copyright
	[ -e $(DESTDIR)/etc/pgsidecar/pgsidecar.yaml ] || install -D -m 0644 Config/pgsidecar.yaml $(DESTDIR)/etc/pgsidecar/pgsidecar.yaml

deb: build ## Make a Debian package: run/pgsidecar_VERSION_ARCHITECTURE.deb
	@$(call install,dpkg-dev)
	Packaging/build-deb

test-deb: deb ## Install the package in a fresh Debian in a folder of its own, and run it there; some minutes, as root
	@$(call install,debootstrap)
	Packaging/test-deb

man: ## Write Packaging/pgsidecar.1 anew from the commands' help
	swift build --product pgsidecar
	Packaging/write-man

link-order: ## Write Packaging/link-order anew: what make build puts side by side, from a run of it under valgrind
	@$(call install,$(PACKAGES) valgrind)
	$(MAKE) build STRIP='-Xlinker --strip-debug'
	Packaging/write-link-order

test: deps-test lint prove test-swift documentation test-examples fuzz ## Install what tests need and run them all

# Each target that waits for sockets and servers in a process of its own: such tests hold the few threads of Swift's pool, and
# where there are two, what needs a thread and has a deadline would wait behind all of them.
ALONE := AdminTests ServerTests PostgresTests InvalidationTests SidecarAppTests IntegrationTests
# So many of them at once, or each waits for all the others on a machine of two cores.
ALONE_ENVIRONMENT := SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4
# Those of a load generator leave the others no processor.
LOAD_TESTS := ^IntegrationTests\.BenchTests

REPORTS := run/reports
# All targets, whatever fails, each with a report, and what failed once more at the end. $(1) are options of swift build.
define test-targets
rm -rf $(REPORTS); mkdir -p $(REPORTS); \
swift build --build-tests $(1); \
export PGSIDECAR_PYTHON="$(CURDIR)/$(PYTHON)" failed=; \
run() { swift test $(1) --skip-build --xunit-output "$(REPORTS)/$$1.xml" "$${@:2}" || failed=yes; }; \
run Others $(ALONE:%=--skip '^%\.'); \
for target in $(ALONE); do $(ALONE_ENVIRONMENT) run "$$target" --filter "^$$target\\." --skip '$(LOAD_TESTS)'; done; \
run LoadTests --filter '$(LOAD_TESTS)'; \
Tests/failures $(patsubst %,$(REPORTS)/%-swift-testing.xml,Others $(ALONE) LoadTests) || failed=yes; \
[[ ! $$failed ]]
endef

test-swift: ## Only swift test; TEST=NAME runs those whose name has NAME
ifdef TEST
	PGSIDECAR_PYTHON="$(CURDIR)/$(PYTHON)" swift test --filter '$(TEST)'
else
	@$(call test-targets,)
endif

# In a build folder of its own.
TSAN := --sanitize=thread --scratch-path .build-tsan
test-tsan: deps-test ## The same under the thread sanitizer
ifdef TEST
	PGSIDECAR_PYTHON="$(CURDIR)/$(PYTHON)" swift test $(TSAN) --filter '$(TEST)'
else
	@$(call test-targets,$(TSAN))
endif

# Warnings are errors: a name that is no more, a parameter that was forgotten. The plugin that does this for packages would be a
# package that everyone resolves.
documentation: ## The libraries' documentation, for a browser: run/documentation/*.doccarchive
	swift build --target TypedCache
	for library in Singleflight CacheCore TypedCache; do \
	    symbols=run/documentation/$$library.symbols; \
	    rm -rf "$$symbols"; \
	    mkdir -p "$$symbols"; \
	    swift symbolgraph-extract -module-name "$$library" -I .build/debug/Modules -I Sources/CIntrinsics \
	        -target "$$(uname -m)-unknown-linux-gnu" -minimum-access-level public -output-dir "$$symbols"; \
	    docc convert "Sources/$$library/$$library.docc" --additional-symbol-graph-dir "$$symbols" --warnings-as-errors \
	        --fallback-display-name "$$library" --fallback-bundle-identifier "pgsidecar.$$library" \
	        --output-path "run/documentation/$$library.doccarchive"; \
	done

# A package of its own beside this one, which shows that whoever takes the libraries without the trait Sidecar resolves what the
# libraries use and nothing else. What else stands there is Hummingbird's.
EXAMPLE := --package-path Examples/UserServer --scratch-path .build-examples

test-examples: ## The Hummingbird server with a typed cache in front of a slow source
	swift package $(EXAMPLE) show-dependencies --format json | python3 Examples/UserServer/expect-dependencies.py \
	    pgsidecar swift-collections swift-log
	swift test $(EXAMPLE)

fuzz: ## The parsers against mutated bytes, with the address sanitizer, for a fixed short count
	@if [[ -x Tests/Fuzz/run.sh ]]; then Tests/Fuzz/run.sh; else echo 'no fuzz target yet'; fi

prove: ## Check the model of the cache's rules in all its states, and that the checker finds each rule that is left out
	@command -v spin >/dev/null || { $(call install,spin gcc libc6-dev); }
	proofs/check

# Half of each with little memory, so that entries come and go all the while.
VERIFY_SOURCES := notify logical
verify: deps build ## Have writers, readers and faults at a sidecar: 10,000,000 reads and 500,000 writes for each source of changes
	for source in $(VERIFY_SOURCES); do for memory in 2MiB 64MiB; do \
	    echo "source $$source, memory $$memory"; \
	    .build/release/pgsidecar verify --source $$source --memory $$memory --reads 5000000 --writes 250000; \
	done; done

lint: ## Refuse what swift format would write otherwise
	swift format lint --strict --parallel --recursive $(SOURCES)

format: ## Rewrite the sources as swift format has them
	swift format --in-place --parallel --recursive $(SOURCES)

docs: ## Write what docs/ and Config/pgsidecar.yaml say of commands, settings and metrics anew
	PGSIDECAR_WRITE_DOCS=1 swift test --filter 'CommandDocsTests|SettingsDocsTests|MetricsDocsTests'

bench: deps-bench build ## Measure pgsidecar beside redis-server and pgbench, and print the ratios
	Benchmarks/run

# Without the seed that hashing takes from each process, a run gives the same figures as the last.
hit-ratio: ## Print the hit ratio of each eviction policy on several traces, beside Belady's optimum
	swift build $(RELEASE) --product HitRatio
	SWIFT_DETERMINISTIC_HASHING=1 .build/release/HitRatio

deps: ## Install the Debian packages that are missing for make run
	@$(call install,$(PACKAGES))

deps-test: run/clients run/pgbouncer run/prometheus ## Install what tests need: the same, clients in several languages, a pooler and Prometheus
	@$(call install,$(TEST_PACKAGES))

deps-bench: ## Install what the benchmarks need: the same, and redis-server
	@$(call install,$(BENCH_PACKAGES))

# Clients that Python programs use, for the tests with real clients; in folders of their own, for no system's Python.
run/clients: Tests/IntegrationTests/Clients/requirements.txt
	@$(call install,$(TEST_PACKAGES))
	[ -x $(PYTHON) ] || python3 -m venv run/venv
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r $<
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --upgrade --target run/redis-4 'redis>=4.6,<5'
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --upgrade --target run/redis-5 'redis>=5.2,<6'
	touch $@

# The programs alone, for the tests with a pooler and with Prometheus: their packages would start services of the system.
run/pgbouncer run/prometheus: run/%:
	@$(call install,$(TEST_PACKAGES))
	rm -rf $@.part
	mkdir -p $@.part
	cd $@.part && { apt-get download -q $* || { $(SUDO) apt-get update -q; apt-get download -q $*; }; }
	dpkg -x $@.part/$*_*.deb $@.part
	rm $@.part/$*_*.deb
	mv $@.part $@

clean: ## Remove what was built, and run/
	rm -rf .build .build-tsan .build-examples .build-man run
