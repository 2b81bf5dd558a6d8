// Directories as skopeo's "dir:" has them: manifest.json is the manifest or index itself, byte for byte, each blob a file that is
// called by the hex digits of its digest, each manifest that an index lists HEX.manifest.json, and `version` says that it is one.
//
// manifest.json is the root of trust: it alone has no digest.
#include "images/source_state.h"
#include "runtime/base/err.h"
#include "runtime/base/quote.h"
#include "specs/image_manifest_write.h"
#include "specs/json.h"

#include <string.h>

static int check_version(struct source *source, struct arena *arena, struct err *err) {
    static const char beginning[] = "Directory Transport Version: 1.";
    struct source_blob blob;
    struct source_document text;
    char quoted[QUOTE_SIZE];
    int found = source_find(source, "version", &blob, err);
    if (found <= 0) {
        return found; // the oldest ones have none
    }
    if (source_read(source, "version", arena, &text, err) < 0) {
        return -1;
    }
    const char *line = arena_copy(arena, text.text, text.size < 64 ? text.size : 64);
    if (strncmp(line, beginning, sizeof(beginning) - 1) != 0) {
        return err_set(err, ERR_UNSUPPORTED, "version: expected \"%s1\", found %s", beginning, quote_text(line, quoted));
    }
    return 0;
}

// What says no type of itself is of OCI: docker's documents always do.
int source_dir_root(struct source *source, struct arena *arena, struct source_root *ret, struct err *err) {
    struct image_manifest manifest;
    struct source_root root = {0};
    if (check_version(source, arena, err) < 0 || source_read(source, "manifest.json", arena, &root.document, err) < 0) {
        return -1;
    }
    const struct json_document json = {.name = "manifest.json", .text = root.document.text, .size = root.document.size};
    if (image_manifest_decode(&json, NULL, arena, &manifest, err) < 0) {
        return -1;
    }
    root.media_type = manifest.media_type            ? manifest.media_type
                      : manifest.kind == IMAGE_INDEX ? IMAGE_OCI_INDEX
                                                     : IMAGE_OCI_MANIFEST;
    *ret = root;
    return 0;
}

int source_dir_images(struct source *source, struct source_list *list, struct err *err) {
    struct source_root root;
    if (source_dir_root(source, list->arena, &root, err) < 0) {
        return -1;
    }
    return source_take_document(source, list, "manifest.json", root.media_type, &root.document, 0, err);
}
