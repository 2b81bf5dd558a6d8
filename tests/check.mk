# Everything that installs, checks, shows and measures quality.
#   make deps          the Debian packages that build, demo and tests need (deps-bench, deps-lab: those of the benches and the lab)
#   make check         all tests; the last line is "N passed, N failed, N skipped"     SAN=1   the same with ASan and UBSan
#   make check TESTS="tests/cli/run.bats build/unit/fd_test"    only these
#   make demo          make an image from Debian's packages, run it, show what happened
#   make analyze       static analysers (slow)
#   make install       into DESTDIR and PREFIX (/usr/local)    make man        the manual pages
PREFIX ?= /usr/local

.PHONY: deps deps-bench deps-lab check demo man install analyze format-check help
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

# Each source on its own, so that one run of make -k -j2 analyze shows all findings.
ANALYZED := $(PROGRAM_SRC) $(INIT_MAIN)
analyze: $(addprefix analyze/,$(ANALYZED))
	cppcheck --quiet --enable=warning,portability --inline-suppr --suppress=missingIncludeSystem --error-exitcode=1 \
	    -D_GNU_SOURCE -DCOFFER_VERSION='""' -I. $(ANALYZED)

.PHONY: $(addprefix analyze/,$(ANALYZED))
$(addprefix analyze/,$(ANALYZED)): analyze/%: %
	$(Q)$(CC) $(CPPFLAGS) -std=gnu17 -O2 $(WARNINGS) -fanalyzer -fsyntax-only $<
	$(Q)clang-tidy --quiet $< -- $(CPPFLAGS) -std=gnu17

format-check:
	clang-format --dry-run --Werror $(ANALYZED) $(wildcard $(addsuffix /*.h,$(ROOMS)))

help:
	@sed -n 's/^#  *\(make .*\|[A-Z]*=.*\)/\1/p' Makefile tests/*.mk
