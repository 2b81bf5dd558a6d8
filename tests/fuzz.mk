# Fuzz targets: each tests/fuzz/NAME_fuzz.c is a libFuzzer program with ASan and UBSan, seeded from tests/fuzz/corpus/NAME/.
# They are linked with the rooms that read foreign bytes, all compiled by clang.
#   make fuzz [FUZZ_SECONDS=600]     fuzz each target so long; what crashes one is left in build/fuzz/found/NAME/
FUZZ_CC      ?= clang-14
FUZZ_SECONDS ?= 600
FUZZ_CFLAGS  := -std=gnu17 -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined
FUZZ_ROOMS   := $(filter runtime/base runtime/kernel specs specs/% runtime/container images images/% runtime/net runtime/engine,$(ROOMS))
FUZZ_BIN     := $(patsubst tests/fuzz/%_fuzz.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
FUZZ_OBJ     := $(patsubst %.c,$(BUILD)/fuzz/obj/%.o,$(call sources,$(FUZZ_ROOMS)) $(INIT_SHARED))

.PHONY: fuzz fuzz-build
fuzz-build: $(FUZZ_BIN)

fuzz: fuzz-build
	$(Q)tests/fuzz/replay.sh $(FUZZ_SECONDS) $(FUZZ_BIN)

$(BUILD)/fuzz/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  fuzz  $<"
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<

# With the programs that the engine carries: any part of it may lead to the rest.
$(BUILD)/fuzz/liball.a: $(FUZZ_OBJ) $(IMAGES_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/fuzz/%: tests/fuzz/%_fuzz.c $(BUILD)/fuzz/liball.a
	@echo "  link  $@"
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $< $(BUILD)/fuzz/liball.a $(LIBS)

-include $(wildcard $(FUZZ_OBJ:.o=.d))
