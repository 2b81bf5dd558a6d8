// A registry's client (distribution-spec 1.1): manifests and blobs by reference, with authorisation, mirrors, redirects and
// retries.
#ifndef COFFER_IMAGES_REGISTRY_H
#define COFFER_IMAGES_REGISTRY_H

#include "images/digest.h"
#include "images/ref.h"
#include "runtime/base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct image_descriptor;
struct registry; // a session: its fetcher, and the tokens it has got

struct registry_options {
    const struct registries
        *registries; // images/registries.h: where references lead, mirrors, blocked, insecure; NULL: nothing special
    const struct credentials *credentials;           // images/credentials.h: who we are where; NULL: nobody
    const char *const *environment;                  // for the fetcher: proxies
    bool late;                                       // the fetcher is started with the first request: it may be that there is none
    const char *authorities;                         // PEM, trusted in place of the system's (SSL_CERT_FILE); NULL: the system's
    bool insecure;                                   // --tls-verify=false: certificates are not verified, plain http is tried
    void (*notice)(void *context, const char *text); // a retry, a mirror passed over: for people; NULL: not told
    void *context;
};

int registry_open(const struct registry_options *options, struct registry **ret, struct err *err) MUST_CHECK;
void registry_close(struct registry *registry); // NULL is fine
void registry_cleanup(struct registry **registry);
#define AUTO_REGISTRY AUTO(registry_cleanup)

struct registry_manifest {
    const char *text; // byte for byte; NULL: only asked for (HEAD)
    size_t size;
    const char *media_type; // of Content-Type, without parameters; NULL: not said
    struct digest digest;   // of the bytes; after a HEAD what the server says, DIGEST_NONE if nothing
};

// GET, or HEAD where only the digest is wanted, of ref's digest, else its tag. The bytes are held against ref's digest and
// Docker-Content-Digest. ERR_NOT_FOUND: there is none. Strings in the arena.
int registry_get_manifest(struct registry *registry, const struct image_ref *ref, bool head, struct arena *arena,
                          struct registry_manifest *ret, struct err *err) MUST_CHECK;

// A small blob (a configuration), whole, in the arena; size and digest verified.
int registry_get_blob(struct registry *registry, const struct image_ref *ref, const struct digest *digest, uint64_t size,
                      struct arena *arena, const char **ret_text, struct err *err) MUST_CHECK;

// A blob on its way into a descriptor: many side by side. Retries, redirects and resumes by itself; its bytes are verified by who
// reads them.
struct registry_blob {
    const struct digest *digest;
    uint64_t size;
    int out_fd;
    // Bytes of it that a file has: from .. to, at `offset` of the file. They are put where they belong, and not asked for; out_fd
    // is a pipe that is not waited for (O_NONBLOCK) then.
    struct registry_kept {
        bool has;
        int fd;
        uint64_t offset, from, to;
    } kept;
    // What comes behind them, or all, is appended to this file (images/partial_note.h).
    bool keeps;
    int keep_fd;
};
struct registry_download; // what ref and blob point to, and their descriptors, are borrowed until it has ended
int registry_download_start(struct registry *registry, const struct image_ref *ref, const struct registry_blob *blob,
                            struct registry_download **ret, struct err *err) MUST_CHECK;
void registry_download_end(struct registry_download *download);  // NULL is fine
void registry_download_step(struct registry_download *download); // after registry_step(), and when wait_fd takes bytes: with `kept`
int registry_download_wait_fd(const struct registry_download *download); // to wait for POLLOUT on; -1: nothing but the registry
void registry_download_keep(struct registry_download *download, int keep_fd); // from now on, until it has ended
int registry_download_keep_errnum(const struct registry_download *download);  // why that is at an end; 0: it is not
bool registry_download_ended(const struct registry_download *download);
uint64_t registry_download_bytes(const struct registry_download *download);
int registry_download_result(const struct registry_download *download, struct err *err) MUST_CHECK; // of one that has ended
bool registry_download_blames_kept(const struct registry_download *download); // one that failed may not do so without `kept`

// For poll(2): call registry_step() when the descriptor is readable or the time has come.
int registry_fd(const struct registry *registry);
int registry_timeout_ms(const struct registry *registry); // until a retry is due; -1: none is
int registry_step(struct registry *registry, struct err *err) MUST_CHECK;
// Waits for news of it, of `beside`, another session (NULL: none), or of `fd` (-1: none), at most so long (-1: for ever), and takes
// those of the sessions in.
int registry_wait_beside(struct registry *registry, struct registry *beside, int fd, int most_ms, struct err *err) MUST_CHECK;

// --- writing; never to a mirror ---
// 1: the registry has the blob (*ret_size: 0 where it does not say), 0: it has not, -1.
int registry_has_blob(struct registry *registry, const struct image_ref *ref, const struct digest *digest, uint64_t *ret_size,
                      struct err *err) MUST_CHECK;
// The same for a manifest, by ref's digest, else its tag.
int registry_has_manifest(struct registry *registry, const struct image_ref *ref, struct err *err) MUST_CHECK;
// Takes a blob over from another repository of the same registry: 1 done, 0 it must be uploaded, -1.
int registry_mount_blob(struct registry *registry, const struct image_ref *ref, const struct digest *digest,
                        const char *from_repository, struct err *err) MUST_CHECK;

// A window of a file.
struct registry_content {
    int fd;
    uint64_t offset, size;
    void (*progress)(void *context, uint64_t sent); // NULL: not told
    void *context;
};

// Uploads it in pieces, many blobs side by side; what is cut off goes on from where the registry has it. registry_step() does it,
// and calls `progress`. What the arguments point to is borrowed until it has ended.
struct registry_upload;
struct registry_upload *registry_upload_start(struct registry *registry, const struct image_ref *ref, const struct digest *digest,
                                              const struct registry_content *content);
void registry_upload_end(struct registry_upload *upload); // of one under way, too; NULL is fine
bool registry_upload_ended(const struct registry_upload *upload);
int registry_upload_result(const struct registry_upload *upload, struct err *err) MUST_CHECK; // of one that has ended

// The same, and waits for its end.
int registry_put_blob(struct registry *registry, const struct image_ref *ref, const struct digest *digest,
                      const struct registry_content *content, struct err *err) MUST_CHECK;
// By ref's tag, else by its digest; a digest must be that of the text.
int registry_put_manifest(struct registry *registry, const struct image_ref *ref, const char *media_type, const void *text,
                          size_t size, struct digest *ret_digest, struct err *err) MUST_CHECK;
// By ref's digest, else its tag; many registries take only the former.
int registry_delete_manifest(struct registry *registry, const struct image_ref *ref, struct err *err) MUST_CHECK;

// --- lists, in the arena, a NULL behind the last name ---
// All tags of a repository, however many pages that are, as the registry orders them.
int registry_list_tags(struct registry *registry, const struct image_ref *ref, struct arena *arena, const char ***ret_tags,
                       size_t *ret_count, struct err *err) MUST_CHECK;
// All repositories of a registry. Many registries do not serve this.
int registry_list_repositories(struct registry *registry, const char *host, struct arena *arena, const char ***ret_names,
                               size_t *ret_count, struct err *err) MUST_CHECK;
// Repositories whose name or description has the term, at most query->limit, as the registry ranks them.
struct registry_query {
    const char *host; // "docker.io"
    const char *term; // "" finds all where there is a catalog
    size_t limit;     // at most REGISTRY_MAX_FOUND
};
enum { REGISTRY_MAX_FOUND = 1000 };
struct registry_found {
    const char *name; // as a reference has it, without docker.io
    const char *description;
    int64_t stars;
    bool official;
};
int registry_search(struct registry *registry, const struct registry_query *query, struct arena *arena, struct registry_found **ret,
                    size_t *ret_count, struct err *err) MUST_CHECK;
// What refers to a manifest (signatures, SBOMs), from the API or, where that is missing, the index under the tag that stands for
// it; artifact_type: of that type only, NULL for all. Nothing is no error. Digests are checked, all other texts are foreign.
int registry_list_referrers(struct registry *registry, const struct image_ref *ref, const char *artifact_type, struct arena *arena,
                            struct image_descriptor **ret, size_t *ret_count, struct err *err) MUST_CHECK; // ref: by digest

// GET /v2/: whether the credentials are taken (login).
int registry_ping(struct registry *registry, const char *host, struct err *err) MUST_CHECK;

#endif
