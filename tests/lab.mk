# The lab: a whole Debian host, booted in seconds (tests/lab/lab says how). Everything here needs root.
#   make lab [LAB_TESTS="build/unit/base_test tests/cli/run.bats"] [LAB_FLAGS="--systemd --cpus 1"]   run tests in it
#     one file of 900 s, and 900 s for all, is not enough for many: LAB_FLAGS="--timeout 5000 --env LAB_TEST_TIMEOUT=2500"
#   make lab-bench     bench-low in it, where crun runs too: ratios only, BENCH_RUNS=20
#   make lab-shell     a shell in it          LAB_CACHE=DIR   where kernel and initramfs are kept
LAB_CACHE ?= /var/cache/coffer-lab
LAB_FLAGS ?=
LAB_TESTS ?= $(UNIT_BIN) $(wildcard tests/cli/*.bats)
LAB       := LAB_CACHE=$(LAB_CACHE) tests/lab/lab $(LAB_FLAGS)

.PHONY: lab lab-shell lab-bench
lab: all unit
	$(Q)$(LAB) -- tests/lab/suite $(LAB_TESTS)

lab-shell: all
	$(Q)$(LAB) --timeout 86400 --terminal -- bash -i

lab-bench: all $(BENCH_BIN)
	$(Q)$(LAB) --env BENCH_RUNS=$(or $(BENCH_RUNS),20) -- tests/bench/low_level.sh $(BUILD) /lab-disk/bench
