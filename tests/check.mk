# Everything that installs, checks, shows and measures quality.
#   make deps          the Debian packages that build, demo and tests need (deps-bench, deps-lab: those of the benches and the lab)
#   make check         all tests; the last line is "N passed, N failed, N skipped"     SAN=1   the same with ASan and UBSan
#   make check TESTS="tests/cli/run.bats build/unit/fd_test"    only these
#   make demo          make an image from Debian's packages, run it, show what happened
#   make services      nginx, redis and postgres as containers, of Debian's packages
#   make soak          SOAK_COUNT (5000) containers started and stopped, SOAK_NETWORKED (500) of them on a bridge: what grows?
#   make analyze       static analysers (slow)
#   make install       into DESTDIR and PREFIX (/usr/local)    make man        the manual pages
PREFIX ?= /usr/local

.PHONY: deps deps-bench deps-lab check demo services soak man install analyze format-check help
deps:
	$(Q)tests/packages/install build check

deps-bench: deps
	$(Q)tests/packages/install bench

deps-lab: deps
	$(Q)tests/packages/install lab

# A new make for what follows, since on a fresh machine this one was read before there was a compiler.
check: deps
	$(Q)BUILD=$(BUILD) SAN=$(SAN) tests/check.sh $(TESTS)

demo: deps
	$(Q)$(MAKE) --no-print-directory -j2 all
	$(Q)BUILD=$(BUILD) tests/demo.sh

services: all
	$(Q)BUILD=$(BUILD) SERVICES="nginx redis postgres" tests/run -o $(BUILD)/services.output tests/cli/services.bats

SOAK_COUNT ?= 5000
SOAK_NETWORKED ?= 500
soak: all
	$(Q)tests/bench/image.sh tiny $(BUILD)/tiny.docker.tar
	$(Q)tests/fault/soak.sh $(abspath $(BUILD)/coffer) docker-archive:$(abspath $(BUILD)/tiny.docker.tar) $(BUILD)/soak \
	    $(SOAK_COUNT) 8 $(SOAK_NETWORKED)

man: all
	$(Q)rm -rf $(BUILD)/man && cli/man/make.sh $(BUILD)/coffer $(BUILD)/man

install: man
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	install -d $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	install -m 755 $(BUILD)/coffer $(DESTDIR)$(PREFIX)/bin/coffer
	ln -sf coffer $(DESTDIR)$(PREFIX)/bin/coffer-oci
	install -m 644 $(BUILD)/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	$(BUILD)/coffer completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/coffer
	ln -sf coffer $(DESTDIR)$(PREFIX)/share/bash-completion/completions/coffer-oci
	$(BUILD)/coffer completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_coffer
	$(BUILD)/coffer completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/coffer.fish

# Each source on its own; all findings are shown before it fails.
ANALYZED      := $(sort $(PROGRAM_SRC) $(INIT_SRC) $(RESPONDER_SRC))
ANALYZE_FLAGS  = $(CPPFLAGS) -std=gnu17 $(if $(filter runtime/base/err.c,$<),,-include tests/static/analyzer.h)
analyze:
	$(Q)$(MAKE) --no-print-directory -k -j2 $(addprefix analyze/,$(ANALYZED)) analyze/cppcheck

.PHONY: analyze/cppcheck $(addprefix analyze/,$(ANALYZED))
analyze/cppcheck:
	$(Q)cppcheck --quiet --enable=warning,portability --inline-suppr --suppress=missingIncludeSystem --suppress=comparePointers \
	    --error-exitcode=1 -D_GNU_SOURCE -D__x86_64__ -DCOFFER_VERSION='""' -I. $(ANALYZED)

$(addprefix analyze/,$(ANALYZED)): analyze/%: %
	$(Q)$(CC) $(ANALYZE_FLAGS) -O2 $(WARNINGS) -Wno-unused-value -fanalyzer -c -o /dev/null $<
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $< -- $(ANALYZE_FLAGS) -Wno-unused-value 2>/dev/null

format-check:
	clang-format --dry-run --Werror $(ANALYZED) $(wildcard $(addsuffix /*.h,$(ROOMS)))

help:
	@sed -n 's/^#  *\(make .*\|[A-Z]*=.*\)/\1/p' Makefile tests/*.mk
