# One Makefile for the whole house. `make` builds build/coffer; `make help` lists the rest.
#
#   BUILD=DIR   where everything goes (default build)      SAN=1   with ASan and UBSan (own folder: build/san)
#   WERROR=1    warnings are errors (make check sets it)   V=1     show the commands

SHELL := /bin/bash
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

SAN ?= 0
ifeq ($(SAN),1)
BUILD ?= build/san
else
BUILD ?= build
endif
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
CC := gcc
VERSION := $(shell cat VERSION 2>/dev/null || echo 0)

# The rooms, in the one order they may include each other (tests/include_order.sh holds them to it).
INIT_ROOMS  := runtime/base runtime/kernel runtime/container/init
ROOMS       := runtime/base runtime/kernel specs specs/profiles runtime/container images runtime/net runtime/engine cli cli/commands

sources = $(wildcard $(addsuffix /*.c,$(1)))
object  = $(patsubst %,$(BUILD)/obj/%.o,$(basename $(1)))

# Init is linked apart. The program shares with it what the two say to each other.
INIT_SHARED  := runtime/container/init/plan.c runtime/container/init/channel.c
PROGRAM_SRC  := $(call sources,$(ROOMS)) $(INIT_SHARED)
# A static program cannot load libraries.
INIT_SRC     := $(filter-out runtime/base/library.c,$(call sources,$(INIT_ROOMS)))
PROGRAM_OBJ  := $(call object,$(PROGRAM_SRC)) $(BUILD)/obj/init_image.o
INIT_OBJ     := $(patsubst %,$(BUILD)/init-obj/%.o,$(basename $(INIT_SRC)))
# What unit tests, fuzz targets and benches link with: all but the program's main.
LIBRARY_OBJ  := $(filter-out $(BUILD)/obj/cli/main.o,$(PROGRAM_OBJ))

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wcast-qual -Wvla -Wformat=2 -Wundef \
            -Wimplicit-fallthrough -Wpointer-arith -Wno-missing-field-initializers -fno-common
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif
CPPFLAGS += -D_GNU_SOURCE -DCOFFER_VERSION='"$(VERSION)"' -I.
CFLAGS   ?= -O2 -g
# _FORTIFY_SOURCE and ASan do not go together: the checks of one hide the other's.
ifeq ($(SAN),1)
HARDENING := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDHARDEN  := -fsanitize=address,undefined
INIT_CC   := $(CC)
INIT_HARD := $(HARDENING)
INIT_LINK := -pie
else
HARDENING := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection -ffunction-sections -fdata-sections
LDHARDEN  := -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--gc-sections -Wl,--as-needed -Wl,-O1
# musl for init: 50 kB in place of 700, and a start without the hundred CPUID instructions of glibc's, each of which traps in a
# virtual machine (0.12 ms against 0.59 to run an empty program, measured).
INIT_CC   := musl-gcc
INIT_HARD := -fstack-protector-strong -fstack-clash-protection -fcf-protection -ffunction-sections -fdata-sections \
             -idirafter /usr/include -idirafter /usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)
INIT_LINK := -static-pie
endif
ALL_CFLAGS := -std=gnu17 -fPIE $(CFLAGS) $(HARDENING) $(WARNINGS)

# Linked as archives, so that a start maps the C library and nothing else: each shared library costs a start 60-100 us.
# What only some commands need (ISA-L, libmnl, libcurl) is loaded by those (runtime/base/library.h).
ARCHIVES := -Wl,-Bstatic -ljansson -lseccomp -lcap -lzstd -lnettle -lz -Wl,-Bdynamic
LIBS     := $(ARCHIVES)

.PHONY: all
all: $(BUILD)/coffer $(BUILD)/coffer-oci

$(BUILD)/coffer: $(PROGRAM_OBJ)
	@echo "  link  $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(LDHARDEN) -pie -o $@ $(PROGRAM_OBJ) $(LIBS)

$(BUILD)/coffer-oci: $(BUILD)/coffer
	$(Q)ln -sf coffer $@

# Init is small, static and carried inside the program, which runs it from a sealed memfd: nothing in a container ever
# sees the program's own file (CVE-2019-5736).
$(BUILD)/coffer-init: $(INIT_OBJ)
	@echo "  link  $@"
	$(Q)$(INIT_CC) $(LDFLAGS) $(LDHARDEN) $(INIT_LINK) -o $@ $(INIT_OBJ)
	$(Q)strip -s $@

$(BUILD)/obj/init_image.o: runtime/container/init_image.S $(BUILD)/coffer-init
	@mkdir -p $(@D)
	$(Q)$(CC) -c -DINIT_IMAGE='"$(BUILD)/coffer-init"' -o $@ $<

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  cc    $<"
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/init-obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(INIT_CC) $(CPPFLAGS) -std=gnu17 -fPIE $(CFLAGS) $(INIT_HARD) $(WARNINGS) -MMD -MP -c -o $@ $<

# Objects are made anew when the flags change.
FLAGS_TEXT := $(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(INIT_CC) $(INIT_HARD)
.PHONY: always
$(BUILD)/flags: always
	@mkdir -p $(@D)
	@printf '%s\n' $(call quote,$(FLAGS_TEXT)) | cmp -s - $@ || printf '%s\n' $(call quote,$(FLAGS_TEXT)) > $@
quote = '$(subst ','\'',$(1))'

-include $(wildcard $(patsubst %.o,%.d,$(PROGRAM_OBJ) $(INIT_OBJ)))

-include $(wildcard tests/*.mk)

.PHONY: clean
clean:
	rm -rf $(BUILD)
