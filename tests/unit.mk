# Unit tests: each tests/unit/NAME_test.c is a program, linked with everything but the program's main.
UNIT_SRC := $(wildcard tests/unit/*_test.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))

.PHONY: unit
unit: $(UNIT_BIN)

$(BUILD)/liball.a: $(LIBRARY_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/liball.a
	@mkdir -p $(@D)
	@echo "  link  $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(LDHARDEN) -pie -o $@ $< $(BUILD)/liball.a $(LIBS) -lseccomp

.SECONDARY: $(patsubst tests/unit/%.c,$(BUILD)/obj/tests/unit/%.o,$(UNIT_SRC))
-include $(patsubst tests/unit/%.c,$(BUILD)/obj/tests/unit/%.d,$(UNIT_SRC))
