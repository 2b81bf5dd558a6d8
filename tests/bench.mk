# Benches: every figure stands beside its peers' of the same interleaved run.
#   make bench            all: bench-low (the OCI runtime), bench-engine (coffer run), bench-load (coffer load), bench-pull (coffer pull)
#   make bench-syscalls   the system calls of the low level
#   BENCH_RUNS=N          measured rounds
#   BENCH_IMAGE=DIR       OCI layout for bench-load, or several for bench-pull (default: made from Debian's packages)
#   BENCH_DIR=DIR         where stores and images lie, some 4 GB
#   BENCH_JSON=PREFIX     also writes PREFIX.low-level, .engine, .load-gzip, .load-plain, .pull-IMAGE, .pull-again-IMAGE: all figures as JSON
BENCH_DIR ?= $(BUILD)/bench
BENCH_BIN := $(addprefix $(BUILD)/bench/,floor interleave true)
export BENCH_RUNS BENCH_IMAGE BENCH_JSON

# Static: the floor is the bare system calls, not the dynamic linker's; interleave must be smaller than what it measures. With the
# C library that the peers start with, too: musl would take 0.5 ms off floor and true each where CPUID traps (a virtual machine).
$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  bench $<"
	$(Q)$(CC) $(CPPFLAGS) -std=gnu17 -O2 $(WARNINGS) -static -o $@ $<

.PHONY: bench bench-low bench-engine bench-load bench-pull bench-syscalls
bench: bench-low bench-engine bench-load bench-pull

bench-low: all $(BENCH_BIN)
	$(Q)tests/bench/low_level.sh $(BUILD) $(BENCH_DIR)

bench-syscalls: all $(BENCH_BIN)
	$(Q)tests/bench/low_level.sh --syscalls $(BUILD) $(BENCH_DIR)

bench-engine: all $(BENCH_BIN)
	$(Q)tests/bench/engine.sh $(BUILD) $(BENCH_DIR)

bench-load: all $(BENCH_BIN)
	$(Q)tests/bench/load.sh $(BUILD) $(BENCH_DIR)

bench-pull: all $(BENCH_BIN)
	$(Q)tests/bench/pull.sh $(BUILD) $(BENCH_DIR)
