# Benches: every figure stands beside its peers' of the same interleaved run.
#   make bench            all: bench-low (the OCI runtime), bench-engine (coffer run), bench-load (coffer load), bench-pull (coffer pull),
#                         bench-containers (run, run -d, exec, many at once, on a bridge), bench-port (TCP through a published port)
#                         and bench-scale (1000 containers; BENCH_MANY=N)
#   make bench-syscalls   the system calls of the low level
#   BENCH_RUNS=N          measured rounds
#   BENCH_ONLY="NAME..."  of coffer, docker and podman, those that take part in the last three
#   BENCH_IMAGE=DIR       OCI layout for bench-load, or several for bench-pull (default: made from Debian's packages)
#   BENCH_DIR=DIR         where stores and images lie, some 4 GB
#   BENCH_JSON=PREFIX     also writes PREFIX.low-level, .engine, .load-gzip, .load-plain, .pull-IMAGE, .pull-again-IMAGE: all figures as JSON
BENCH_DIR ?= $(BUILD)/bench
BENCH_BIN := $(addprefix $(BUILD)/bench/,floor interleave stream true)
export BENCH_RUNS BENCH_IMAGE BENCH_JSON BENCH_ONLY BENCH_MANY

# Static: the floor is the bare system calls, not the dynamic linker's; interleave must be smaller than what it measures. With the
# C library that the peers start with, too: musl would take 0.5 ms off floor and true each where CPUID traps (a virtual machine).
$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  bench $<"
	$(Q)$(CC) $(CPPFLAGS) -std=gnu17 -O2 $(WARNINGS) -static -o $@ $<

.PHONY: bench bench-low bench-engine bench-load bench-pull bench-containers bench-port bench-scale bench-syscalls
bench: bench-low bench-engine bench-containers bench-port bench-scale bench-load bench-pull

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

bench-containers bench-port bench-scale: bench-%: all $(BENCH_BIN)
	$(Q)tests/bench/$*.sh $(BUILD) $(BENCH_DIR)
