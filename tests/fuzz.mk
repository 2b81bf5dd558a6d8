# Fuzz targets: each tests/fuzz/NAME_fuzz.c is a libFuzzer program with ASan and UBSan, seeded from tests/fuzz/corpus/NAME/.
# `make fuzz` runs each for FUZZ_SECONDS; what it finds is left in build/fuzz/found/NAME/.
FUZZ_CC      ?= clang-14
FUZZ_SECONDS ?= 30
FUZZ_CFLAGS  := -std=gnu17 -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined
FUZZ_NAMES   := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_OBJ     := $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(filter-out cli/main.c,$(PROGRAM_SRC)))

.PHONY: fuzz fuzz-build
fuzz-build: $(FUZZ_NAMES:%=$(BUILD)/fuzz/%)

fuzz: fuzz-build
	$(Q)for name in $(FUZZ_NAMES); do \
	    mkdir -p $(BUILD)/fuzz/grown/$$name $(BUILD)/fuzz/found/$$name tests/fuzz/corpus/$$name; \
	    echo "  fuzz  $$name for $(FUZZ_SECONDS) s"; \
	    $(BUILD)/fuzz/$$name -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -print_funcs=0 -verbosity=0 \
	        -artifact_prefix=$(BUILD)/fuzz/found/$$name/ $(BUILD)/fuzz/grown/$$name tests/fuzz/corpus/$$name || exit 1; \
	done

$(BUILD)/fuzz/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/liball.a: $(FUZZ_OBJ) $(BUILD)/obj/init_image.o
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/fuzz/%: tests/fuzz/%_fuzz.c $(BUILD)/fuzz/liball.a
	@echo "  link  $@"
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $< $(BUILD)/fuzz/liball.a $(LIBS)

-include $(wildcard $(FUZZ_OBJ:.o=.d))
