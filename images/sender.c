#include "images/sender.h"

#include "images/registry.h"
#include "images/source.h"
#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <fcntl.h>

enum { TICK_MS = 200 };

static void end_job(struct sender_job *job) {
    registry_upload_end(job->upload);
    job->upload = NULL;
    fd_close(&job->fd);
}

void sender_finish(struct sender *sender) {
    for (size_t i = 0; i < SENDER_UPLOADS; i++) {
        if (sender->jobs[i].upload) {
            end_job(&sender->jobs[i]);
        }
    }
}

static void tell(const struct sender_job *job, enum copy_state state, uint64_t done) {
    const struct sender *sender = job->sender;
    char text[DIGEST_TEXT_SIZE];
    if (sender->progress) {
        sender->progress(sender->progress_context, digest_format(&job->digest, text), state, done, job->size);
    }
}

static void tell_sent(void *context, uint64_t sent) {
    tell(context, COPY_SENDING, sent);
}

static int take_job(struct sender_job *job, struct err *err) {
    if (registry_upload_result(job->upload, err) < 0) {
        return -1;
    }
    end_job(job);
    tell(job, COPY_SENT, job->size);
    return 0;
}

// Takes in those that have ended.
static int collect(struct sender *sender, struct err *err) {
    for (size_t i = 0; i < SENDER_UPLOADS; i++) {
        struct sender_job *job = &sender->jobs[i];
        if (job->upload && registry_upload_ended(job->upload) && take_job(job, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static int wait_once(struct sender *sender, struct err *err) {
    return registry_wait_beside(sender->registry, NULL, -1, TICK_MS, err) < 0 ? -1 : collect(sender, err);
}

static struct sender_job *find(struct sender *sender, const struct digest *digest) {
    for (size_t i = 0; i < SENDER_UPLOADS; i++) {
        if (sender->jobs[i].upload && digest_equal(&sender->jobs[i].digest, digest)) {
            return &sender->jobs[i];
        }
    }
    return NULL;
}

int sender_settle(struct sender *sender, const struct digest *digest, struct err *err) {
    if (collect(sender, err) < 0) {
        return -1;
    }
    while (find(sender, digest)) {
        if (wait_once(sender, err) < 0) {
            return -1;
        }
    }
    return 0;
}

static struct sender_job *free_job(struct sender *sender) {
    for (size_t i = 0; i < SENDER_UPLOADS; i++) {
        if (!sender->jobs[i].upload) {
            return &sender->jobs[i];
        }
    }
    return NULL;
}

int sender_add(struct sender *sender, const struct digest *digest, const struct source_blob *bytes, struct err *err) {
    struct sender_job *job;
    if (collect(sender, err) < 0) {
        return -1;
    }
    while (!(job = free_job(sender))) {
        if (wait_once(sender, err) < 0) {
            return -1;
        }
    }
    AUTO_FD int fd = fcntl(bytes->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) {
        return err_sys(err, "duplicate the descriptor of a blob");
    }
    *job = (struct sender_job){.sender = sender, .digest = *digest, .fd = fd, .size = bytes->size};
    const struct registry_content content = {
        .fd = fd_take(&fd), .offset = bytes->offset, .size = bytes->size, .progress = tell_sent, .context = job};
    job->upload = registry_upload_start(sender->registry, sender->to, digest, &content);
    return collect(sender, err);
}

int sender_wait(struct sender *sender, struct err *err) {
    if (collect(sender, err) < 0) {
        return -1;
    }
    for (size_t i = 0; i < SENDER_UPLOADS; i++) {
        while (sender->jobs[i].upload) {
            if (wait_once(sender, err) < 0) {
                return -1;
            }
        }
    }
    return 0;
}
