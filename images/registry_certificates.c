#include "images/registries.h"

#include "images/fetch.h"
#include "images/registries_state.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"
#include "runtime/base/log.h"
#include "runtime/base/strv.h"

#include <errno.h>
#include <string.h>

static int read_pem(struct arena *arena, const char *path, const char **ret, struct err *err) {
    if (fd_read_file_into(arena, path, 0, REGISTRIES_MAX_CERTIFICATE, ret, err) < 0) {
        return -1;
    }
    return strstr(*ret, "-----BEGIN ") ? 0 : err_set(err, ERR_INPUT, "%s: expected a certificate or key in PEM, found none", path);
}

// All *.crt, one behind the other.
static int read_authorities(struct arena *arena, const struct strv *files, struct fetch_tls *tls, struct err *err) {
    AUTO_BUF struct buf all = {0};
    for (size_t i = 0; i < files->count; i++) {
        const char *pem;
        if (read_pem(arena, files->items[i], &pem, err) < 0) {
            return -1;
        }
        buf_add_string(&all, pem);
        buf_add_char(&all, '\n'); // where the file's last line has no end
    }
    tls->ca_pem = all.size > 0 ? arena_copy_string(arena, buf_string(&all)) : NULL;
    return 0;
}

// NAME.cert and its NAME.key.
static int read_client(struct arena *arena, const char *folder, const struct strv *certs, const struct strv *keys,
                       struct fetch_tls *tls, struct err *err) {
    if (certs->count == 0 && keys->count == 0) {
        return 0;
    }
    const char *first = certs->count > 0 ? certs->items[0] : keys->items[0];
    char *cert = arena_format(arena, "%.*s.cert", (int)(strrchr(first, '.') - first), first);
    char *key = arena_format(arena, "%.*s.key", (int)(strrchr(first, '.') - first), first);
    if (!strv_has(certs, cert) || !strv_has(keys, key)) {
        return err_set(err, ERR_INPUT, "%s: there is no %s beside it; authorities' certificates end in .crt", first,
                       certs->count > 0 ? key : cert);
    }
    if (certs->count > 1) {
        log_warn("%s: holds %zu client certificates; %s is used", folder, certs->count, cert);
    }
    return read_pem(arena, cert, &tls->cert_pem, err) < 0 ? -1 : read_pem(arena, key, &tls->key_pem, err);
}

// 1: the folder is there.
static int read_folder(struct arena *arena, const char *folder, struct fetch_tls *tls, struct err *err) {
    AUTO_STRV struct strv authorities = {0};
    AUTO_STRV struct strv certs = {0};
    AUTO_STRV struct strv keys = {0};
    int there = registries_list(folder, ".crt", &authorities, err);
    if (there <= 0) {
        return there;
    }
    if (registries_list(folder, ".cert", &certs, err) < 0 || registries_list(folder, ".key", &keys, err) < 0 ||
        read_authorities(arena, &authorities, tls, err) < 0 || read_client(arena, folder, &certs, &keys, tls, err) < 0) {
        return -1;
    }
    return 1;
}

// docker's registry is known by two names, and by the shorter one to the folders of others.
static const char *folder_name(const char *host) {
    return strcmp(host, "registry-1.docker.io") == 0 || strcmp(host, "index.docker.io") == 0 ? "docker.io" : host;
}

int registries_certificates(const struct registries *registries, const char *host, struct arena *arena, struct fetch_tls *ret,
                            struct err *err) {
    struct fetch_tls tls = {0};
    if (registries && registries->certificate_folder) {
        int there = read_folder(arena, registries->certificate_folder, &tls, err);
        if (there < 0) {
            return -1;
        }
        if (there == 0) {
            return err_set(err, ERR_NOT_FOUND, "the folder of certificates %s does not exist", registries->certificate_folder);
        }
        *ret = tls;
        return 0;
    }
    if (host[0] == '.' || strchr(host, '/')) {
        return err_set(err, ERR_INPUT, "\"%s\" is no host: expected HOST[:PORT]", host); // it becomes a path here
    }
    for (const char **folder = registries ? registries->certificate_folders : NULL; folder && *folder; folder++) {
        struct err wrong = {0};
        int there = read_folder(arena, arena_format(arena, "%s/%s", *folder, folder_name(host)), &tls, &wrong);
        if (there < 0 && wrong.errnum == EACCES) {
            log_warn("%s; its certificates are not used", wrong.text); // root's, where an ordinary user runs
            tls = (struct fetch_tls){0};
        } else if (there < 0) {
            *err = wrong;
            return -1;
        } else if (there > 0) {
            break;
        }
    }
    *ret = tls;
    return 0;
}
