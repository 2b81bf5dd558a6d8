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
INIT_SRC     := $(filter-out runtime/base/library.c,$(call sources,$(INIT_ROOMS)))
# The responder, too: with what is pure of the room of networks.
RESPONDER_SRC := $(filter-out runtime/base/library.c,$(call sources,runtime/base runtime/kernel runtime/net/responder)) \
                 $(addprefix runtime/net/,address.c dns_message.c dns_names.c resolv.c)

# Two C libraries. The program and init are static and linked with musl: an empty program starts in 0.12 ms, where glibc needs 0.59,
# most of it for a hundred CPUID instructions that trap in a virtual machine (measured). The unpacker needs libraries that are
# there for glibc only, as do the sanitisers and so the tests. Every source is built for both.
STATIC_OBJ   := $(patsubst %,$(BUILD)/static-obj/%.o,$(basename $(PROGRAM_SRC)))
RESPONDER_OBJ := $(patsubst %,$(BUILD)/static-obj/%.o,$(basename $(RESPONDER_SRC)))
INIT_OBJ     := $(patsubst %,$(BUILD)/static-obj/%.o,$(basename $(INIT_SRC)))
IMAGES_OBJ   := $(addprefix $(BUILD)/obj/,init_image.o unpacker_image.o fetcher_image.o responder_image.o)
PROGRAM_OBJ  := $(call object,$(PROGRAM_SRC)) $(IMAGES_OBJ)
UNPACKER_OBJ := $(call object,$(filter-out %_worker.c,$(call sources,runtime/base runtime/kernel images)))
FETCHER_OBJ  := $(call object,$(call sources,images/fetcher))
# What unit tests, fuzz targets and benches link with: all but the program's main.
LIBRARY_OBJ  := $(filter-out $(BUILD)/obj/cli/main.o,$(PROGRAM_OBJ))

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wcast-qual -Wvla -Wformat=2 -Wundef \
            -Wimplicit-fallthrough -Wpointer-arith -Wno-missing-field-initializers -fno-common
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif
CPPFLAGS += -D_GNU_SOURCE -DCOFFER_VERSION='"$(VERSION)"' -I.
CFLAGS   ?= -O2 -g
# A start reads each page of the program once, and init is copied: what is small is fast there (3 % of a start, measured).
STATIC_CFLAGS = $(patsubst -O2,-Os,$(CFLAGS)) -fno-asynchronous-unwind-tables
# _FORTIFY_SOURCE and ASan do not go together: the checks of one hide the other's.
ifeq ($(SAN),1)
HARDENING := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDHARDEN  := -fsanitize=address,undefined
STATIC_CC   := $(CC)
STATIC_HARD := $(HARDENING)
STATIC_LINK := -pie
STATIC_LD   := $(CC)
else
HARDENING := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection -ffunction-sections -fdata-sections
LDHARDEN  := -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--gc-sections -Wl,--as-needed -Wl,-O1
STATIC_CC   := musl-gcc
STATIC_HARD := -fstack-protector-strong -fstack-clash-protection -fcf-protection -ffunction-sections -fdata-sections \
               -idirafter /usr/include -idirafter /usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)
# The wrapper's own linking knows no static-pie: it would leave a program that asks for musl's dynamic loader.
MUSL        := /usr/lib/$(shell uname -m)-linux-musl/
STATIC_LINK := -nostdlib -static-pie -Wl,--no-dynamic-linker -Wl,-z,text $(MUSL)rcrt1.o $(MUSL)crti.o $(shell $(CC) -print-file-name=crtbeginS.o)
STATIC_END   = $(MUSL)libc.a $(shell $(CC) -print-file-name=libgcc.a) $(shell $(CC) -print-file-name=crtendS.o) $(MUSL)crtn.o
STATIC_LD   := $(CC)
endif
ALL_CFLAGS := -std=gnu17 -fPIE $(CFLAGS) $(HARDENING) $(WARNINGS)

# Linked as archives: a start maps no shared library. What only some programs need (ISA-L) is loaded by those (runtime/base/library.h).
ARCHIVE_NAMES := jansson cap zstd nettle z
LIBS        := -Wl,-Bstatic $(addprefix -l,$(ARCHIVE_NAMES)) -Wl,-Bdynamic
# musl-gcc looks in its own folder only, so the archives are named by their files.
STATIC_LIBS  = $(if $(filter -pie,$(STATIC_LINK)),$(LIBS),$(foreach name,$(ARCHIVE_NAMES),$(shell $(CC) -print-file-name=lib$(name).a)))

.PHONY: all
all: $(BUILD)/coffer $(BUILD)/coffer-oci

$(BUILD)/coffer: $(STATIC_OBJ) $(IMAGES_OBJ)
	@echo "  link  $@"
	$(Q)$(STATIC_LD) $(LDFLAGS) $(LDHARDEN) $(STATIC_LINK) -o $@ $^ $(STATIC_LIBS) $(STATIC_END)

$(BUILD)/coffer-oci: $(BUILD)/coffer
	$(Q)ln -sf coffer $@

# Init, the unpacker, the fetcher and the responder are carried inside the program, which runs them from sealed memfds: nothing in a container ever sees the
# program's own file (CVE-2019-5736), and there is one file to install.
$(BUILD)/coffer-init: $(INIT_OBJ)
	@echo "  link  $@"
	$(Q)$(STATIC_LD) $(LDFLAGS) $(LDHARDEN) $(STATIC_LINK) -o $@ $(INIT_OBJ) $(STATIC_END)
	$(Q)strip -s $@

$(BUILD)/coffer-responder: $(RESPONDER_OBJ)
	@echo "  link  $@"
	$(Q)$(STATIC_LD) $(LDFLAGS) $(LDHARDEN) $(STATIC_LINK) -o $@ $(RESPONDER_OBJ) $(STATIC_END)
	$(Q)strip -s $@

$(BUILD)/libunpacker.a: $(UNPACKER_OBJ)
	$(Q)rm -f $@ && ar rcs $@ $^

$(BUILD)/coffer-unpacker: $(BUILD)/obj/images/unpacker/main.o $(BUILD)/libunpacker.a
	@echo "  link  $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(LDHARDEN) -pie -o $@ $^ $(LIBS)
	$(Q)strip -s $@

# libcurl comes with thirty libraries more, which nothing but this program loads; symbols that are not called need not be found.
$(BUILD)/coffer-fetcher: $(FETCHER_OBJ) $(BUILD)/libunpacker.a
	@echo "  link  $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) $(LDHARDEN) -pie -o $@ $^ -Wl,-Bstatic -lcap -Wl,-Bdynamic -lcurl
	$(Q)strip -s $@

$(BUILD)/obj/init_image.o: runtime/container/init_image.S $(BUILD)/coffer-init
	@mkdir -p $(@D)
	$(Q)$(CC) -c -DINIT_IMAGE='"$(BUILD)/coffer-init"' -o $@ $<

$(BUILD)/obj/responder_image.o: runtime/net/responder_image.S $(BUILD)/coffer-responder
	@mkdir -p $(@D)
	$(Q)$(CC) -c -DRESPONDER_IMAGE='"$(BUILD)/coffer-responder"' -o $@ $<

$(BUILD)/obj/unpacker_image.o: images/unpacker_image.S $(BUILD)/coffer-unpacker
	@mkdir -p $(@D)
	$(Q)$(CC) -c -DUNPACKER_IMAGE='"$(BUILD)/coffer-unpacker"' -o $@ $<

$(BUILD)/obj/fetcher_image.o: images/fetcher_image.S $(BUILD)/coffer-fetcher
	@mkdir -p $(@D)
	$(Q)$(CC) -c -DFETCHER_IMAGE='"$(BUILD)/coffer-fetcher"' -o $@ $<

$(BUILD)/obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  cc    $<"
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/static-obj/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  cc    $< (static)"
	$(Q)$(STATIC_CC) $(CPPFLAGS) -std=gnu17 -fPIE $(STATIC_CFLAGS) $(STATIC_HARD) $(WARNINGS) -MMD -MP -c -o $@ $<

# What the low level's --version tells of where it was built from; empty outside a checkout.
COMMIT := $(shell git rev-parse --verify HEAD 2>/dev/null)
$(BUILD)/obj/cli/call.o $(BUILD)/static-obj/cli/call.o: CPPFLAGS += -DCOFFER_COMMIT='"$(COMMIT)"'
$(BUILD)/obj/cli/call.o $(BUILD)/static-obj/cli/call.o: $(BUILD)/commit
$(BUILD)/commit: always
	@mkdir -p $(@D)
	@echo '$(COMMIT)' | cmp -s - $@ || echo '$(COMMIT)' > $@

# Objects are made anew when the flags change.
FLAGS_TEXT := $(CC) $(CPPFLAGS) $(ALL_CFLAGS) $(STATIC_CC) $(STATIC_CFLAGS) $(STATIC_HARD) $(STATIC_LD) $(STATIC_LINK)
.PHONY: always
$(BUILD)/flags: always
	@mkdir -p $(@D)
	@printf '%s\n' $(call quote,$(FLAGS_TEXT)) | cmp -s - $@ || printf '%s\n' $(call quote,$(FLAGS_TEXT)) > $@
quote = '$(subst ','\'',$(1))'

-include $(wildcard $(patsubst %.o,%.d,$(PROGRAM_OBJ) $(STATIC_OBJ) $(INIT_OBJ) $(RESPONDER_OBJ) $(BUILD)/obj/images/unpacker/main.o $(FETCHER_OBJ)))

-include $(wildcard tests/*.mk)

.PHONY: clean
clean:
	rm -rf $(BUILD)
