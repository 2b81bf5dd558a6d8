// Which of an index's images a host runs: Go's names of architectures, and arm's variants, of which a newer one runs all older.
// (OCI image-spec v1.1, image-index.md, "Platform Variants".)
#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/quote.h"
#include "specs/image_manifest.h"

#include <string.h>
#include <sys/utsname.h>

// By uname(2)'s machine; the first row of an architecture is the one its other names are turned into.
static const struct {
    const char *machine;
    struct image_platform platform;
} machines[] = {
    {"x86_64", {.os = "linux", .architecture = "amd64"}},
    {"aarch64", {.os = "linux", .architecture = "arm64", .variant = "v8"}},
    {"armv7l", {.os = "linux", .architecture = "arm", .variant = "v7"}},
    {"armv6l", {.os = "linux", .architecture = "arm", .variant = "v6"}},
    {"i686", {.os = "linux", .architecture = "386"}},
    {"riscv64", {.os = "linux", .architecture = "riscv64"}},
    {"ppc64le", {.os = "linux", .architecture = "ppc64le"}},
    {"s390x", {.os = "linux", .architecture = "s390x"}},
    {"loongarch64", {.os = "linux", .architecture = "loong64"}},
};

const struct image_platform *image_platform_of_host(void) {
    static const struct image_platform unknown = {.os = "linux", .architecture = "unknown"};
    struct utsname host;
    uname(&host); // cannot fail with a pointer that is good
    for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
        if (strcmp(machines[i].machine, host.machine) == 0) {
            return &machines[i].platform;
        }
    }
    return &unknown;
}

static const char *text_or(const char *text, const char *other) {
    return text && *text ? text : other;
}

static const char *go_architecture(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(machines); i++) {
        if (strcmp(machines[i].machine, name) == 0) {
            return machines[i].platform.architecture;
        }
    }
    return name;
}

// The baseline where nothing is said: arm is v7, as docker has it, the others' first.
static const char *default_variant(const char *architecture) {
    if (strcmp(architecture, "arm") == 0) {
        return "v7";
    }
    if (strcmp(architecture, "arm64") == 0) {
        return "v8";
    }
    return strcmp(architecture, "amd64") == 0 ? "v1" : "";
}

int image_platform_parse(struct arena *arena, const char *text, struct image_platform *ret, struct err *err) {
    char quoted[QUOTE_SIZE];
    char *parts[3] = {arena_copy_string(arena, text)};
    size_t count = 1;
    for (char *slash = strchr(parts[0], '/'); slash; slash = strchr(slash + 1, '/')) {
        if (count == ARRAY_LEN(parts)) {
            return err_set(err, ERR_INPUT, "platform %s: expected OS/ARCHITECTURE[/VARIANT]", quote_text(text, quoted));
        }
        *slash = '\0';
        parts[count++] = slash + 1;
    }
    for (size_t i = 0; i < count; i++) {
        if (!*parts[i]) {
            return err_set(err, ERR_INPUT, "platform %s: expected OS/ARCHITECTURE[/VARIANT]", quote_text(text, quoted));
        }
    }
    *ret = (struct image_platform){
        .os = count > 1 ? parts[0] : "linux",
        .architecture = go_architecture(parts[count > 1]),
        .variant = count > 2 ? parts[2] : NULL,
    };
    return 0;
}

// v6 -> 6; 0 for what is no such name.
static unsigned variant_number(const char *variant) {
    return variant[0] == 'v' && variant[1] >= '1' && variant[1] <= '9' && !variant[2] ? (unsigned)(variant[1] - '0') : 0;
}

unsigned image_platform_rank(const struct image_platform *has, const struct image_platform *wants) {
    const char *architecture = go_architecture(text_or(has->architecture, ""));
    if (strcmp(text_or(has->os, ""), text_or(wants->os, "linux")) != 0 || strcmp(architecture, wants->architecture) != 0) {
        return 0;
    }
    const char *normal = default_variant(architecture);
    const char *has_variant = text_or(has->variant, normal), *wants_variant = text_or(wants->variant, normal);
    unsigned has_number = variant_number(has_variant), wants_number = variant_number(wants_variant);
    if (has_number == 0 || wants_number == 0) {
        return strcmp(has_variant, wants_variant) == 0;
    }
    return has_number <= wants_number ? has_number : 0;
}
