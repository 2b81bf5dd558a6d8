#include "cli/call.h"
#include "cli/commands/all.h"
#include "cli/commands/store.h"
#include "cli/context.h"
#include "cli/messages.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/registry_session.h"
#include "images/check.h"
#include "images/source.h"
#include "runtime/base/buf.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "runtime/base/quote.h"
#include "runtime/base/strv.h"
#include "runtime/kernel/userns.h"
#include "specs/json_write.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { FORMAT_TEXT, FORMAT_JSON, EXIT_DAMAGED = 1 };

struct check_request {
    bool repair;
    bool force;
    bool quick;
    int format;
    struct strv sources;
    struct registry_flags registry;
};

// --- how far it is ---

// A line for each layer that is being read. Only on a terminal: elsewhere findings are all there is to say.
struct view {
    struct progress *progress;
    struct shown {
        const char *layer;
        unsigned line;
    } * shown;
    size_t count;
};

static void view_finish(struct view *view) {
    progress_destroy(view->progress);
    mem_cleanup(&view->shown);
}

static unsigned line_of(struct view *view, const char *layer) {
    for (size_t i = 0; i < view->count; i++) {
        if (strcmp(view->shown[i].layer, layer) == 0) {
            return view->shown[i].line;
        }
    }
    AUTO_FREE char *label = mem_format("layer %.12s", layer);
    view->shown = mem_resize(view->shown, view->count + 1, sizeof(*view->shown));
    view->shown[view->count] = (struct shown){.layer = layer, .line = progress_add(view->progress, label)};
    return view->shown[view->count++].line;
}

static void show(void *context, const struct check_progress *progress) {
    struct view *view = context;
    char text[OUTPUT_HUMAN_SIZE];
    unsigned line = line_of(view, progress->layer);
    if (progress->ended) {
        AUTO_FREE char *result = mem_format("read %s", output_human_size((int64_t)progress->total, text));
        progress_done(view->progress, line, result);
    } else {
        progress_set(view->progress, line, progress->done, progress->total);
    }
}

// --- what was found ---

static void add_images(struct buf *buf, const struct check_finding *finding) {
    for (size_t i = 0; i < finding->images_count; i++) {
        buf_add_format(buf, "%s%s", i == 0 ? " (of image " : ", ", finding->names[i]);
    }
    buf_add_string(buf, finding->images_count > 0 ? ")" : "");
}

static void add_outcome(struct buf *buf, const struct check_finding *finding) {
    switch (finding->outcome) {
    case CHECK_REPAIRED:
        buf_add_string(buf, finding->kind == CHECK_FOREIGN                                  ? ": moved to lost+found"
                            : finding->kind == CHECK_LEFTOVER || finding->kind == CHECK_TAG ? ": removed"
                                                                                            : ": repaired");
        break;
    case CHECK_REMOVED:
        buf_add_string(buf, ": could not be repaired, its images are removed");
        break;
    case CHECK_KEPT:
        buf_add_format(buf, ": not repaired: %s", finding->remedy);
        break;
    default:
        break;
    }
}

// A worker that was taken over by what it read could say anything: controls are made visible once more.
static void add_finding(struct buf *buf, const struct check_finding *finding) {
    AUTO_BUF struct buf line = {0};
    char quoted[QUOTE_SIZE];
    // Names of strangers are shown in quotes; the store's own are plain.
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/.:+_-@";
    bool is_plain = strspn(finding->path, plain) == strlen(finding->path);
    buf_add_format(&line, "%s: %s", is_plain ? finding->path : quote_text(finding->path, quoted), finding->problem);
    add_images(&line, finding);
    add_outcome(&line, finding);
    messages_add_visible(buf, buf_string(&line));
    buf_add_char(buf, '\n');
}

static const char *plural(size_t count, const char *one, const char *many) {
    return count == 1 ? one : many;
}

static bool has_kept_image(const struct check_report *report) {
    for (size_t i = 0; i < report->findings_count; i++) {
        if (report->findings[i].images_count > 0 && report->findings[i].outcome == CHECK_KEPT) {
            return true;
        }
    }
    return false;
}

static void add_summary(struct buf *buf, const struct check_report *report, const struct check_request *request) {
    char text[OUTPUT_HUMAN_SIZE];
    size_t leftovers = report->findings_count - report->damage;
    buf_add_format(buf, "Checked %zu %s, %zu %s", report->images, plural(report->images, "image", "images"), report->layers,
                   plural(report->layers, "layer", "layers"));
    if (request->quick) {
        buf_add_string(buf, " without what they hold: ");
    } else {
        buf_add_format(buf, " of %s: ", output_human_size((int64_t)report->bytes, text));
    }
    if (report->damage == 0) {
        buf_add_string(buf, report->failed > 0 ? "no fault was found" : "all is well");
    } else {
        buf_add_format(buf, "%zu %s", report->damage, plural(report->damage, "fault", "faults"));
        if (request->repair) {
            buf_add_format(buf, ", %zu repaired", report->repaired);
        }
    }
    if (leftovers > 0) {
        buf_add_format(buf, ", %zu %s", leftovers, plural(leftovers, "leftover", "leftovers"));
    }
    buf_add_char(buf, '\n');
    if (report->failed > 0) {
        buf_add_format(buf, "%zu %s could not be checked.\n", report->failed, plural(report->failed, "layer", "layers"));
    }
    if (report->more > 0) {
        buf_add_format(buf, "%zu findings more are not listed.\n", report->more);
    }
    if (report->unread > 0 && !request->quick) {
        buf_add_format(
            buf, "Of %zu %s there is no record of the tar to hold them against: they came by an older coffer.\n",
            report->unread, plural(report->unread, "layer", "layers"));
    }
    if (request->repair && has_kept_image(report)) {
        buf_add_string(buf,
                       "What could not be repaired: give a file that has the image (--from), or remove it (coffer rmi, or --force) "
                       "and load it again.\n");
    }
}

static void write_finding(struct json_writer *writer, const struct check_finding *finding) {
    json_write_open(writer, NULL, '{');
    json_write_string(writer, "kind", check_kind_name(finding->kind));
    json_write_string(writer, "path", finding->path);
    json_write_string(writer, "problem", finding->problem);
    json_write_strings(writer, "images", finding->images, finding->images_count);
    json_write_string(writer, "outcome", check_outcome_name(finding->outcome));
    if (finding->remedy) {
        json_write_string(writer, "reason", finding->remedy);
    }
    json_write_close(writer, '}');
}

static void add_json(struct buf *buf, const struct check_report *report) {
    struct json_writer writer = {.buf = buf};
    json_write_open(&writer, NULL, '{');
    json_write_u64(&writer, "images", report->images);
    json_write_u64(&writer, "layers", report->layers);
    json_write_u64(&writer, "bytes", report->bytes);
    json_write_u64(&writer, "unread", report->unread);
    json_write_u64(&writer, "failed", report->failed);
    json_write_u64(&writer, "more", report->more);
    json_write_u64(&writer, "damage", report->damage);
    json_write_u64(&writer, "repaired", report->repaired);
    json_write_open(&writer, "findings", '[');
    for (size_t i = 0; i < report->findings_count; i++) {
        write_finding(&writer, &report->findings[i]);
    }
    json_write_close(&writer, ']');
    json_write_close(&writer, '}');
    buf_add_char(buf, '\n');
}

static int print_report(const struct check_report *report, const struct check_request *request, struct err *err) {
    AUTO_BUF struct buf buf = {0};
    if (request->format == FORMAT_JSON) {
        add_json(&buf, report);
    } else {
        for (size_t i = 0; i < report->findings_count; i++) {
            add_finding(&buf, &report->findings[i]);
        }
        add_summary(&buf, report, request);
    }
    return output_write(&buf, err);
}

// --- the command ---

static int check_flags(const struct check_request *request, struct err *err) {
    if (request->force && !request->repair) {
        return err_set(err, ERR_INPUT, "--force is for what --repair cannot repair; give both");
    }
    for (size_t i = 0; i < request->sources.count; i++) {
        if (!request->repair || !source_is_file(request->sources.items[i])) {
            return err_set(err, ERR_INPUT,
                           request->repair ? "--from %s: expected a file or directory, as coffer load takes it"
                                           : "--from %s: is for --repair; give both",
                           request->sources.items[i]);
        }
    }
    return 0;
}

static int run(struct context *context, struct err *err) {
    const struct check_request *request = context->request;
    AUTO_REGISTRY_SESSION struct registry_session session = {0};
    AUTO_STORE struct store *store = NULL;
    AUTO(view_finish) struct view view = {0};
    struct registry_flags flags = request->registry;
    struct check_report report;
    struct check_options options = {
        .images = context->operand_count > 0 ? (const char *const *)context->operands : NULL,
        .quick = request->quick,
        .repair = request->repair,
        .force = request->force,
        .sources = (const char *const *)request->sources.items,
        .no_devices = context->rootless || !userns_is_initial(),
    };
    flags.late = true; // there may be nothing to bring
    if (check_flags(request, err) < 0 ||
        (request->repair && registry_session_open(context, &flags, "docker.io", &session, err) < 0) ||
        store_to_examine(context, &store, &options.single_id, err) < 0) {
        return -1;
    }
    options.registry = session.registry;
    store_raise_descriptor_limit();
    if (isatty(STDERR_FILENO)) {
        view.progress = progress_create(STDERR_FILENO);
        options.progress = show;
        options.progress_context = &view;
    }
    if (check_store(store, &options, &context->arena, &report, err) < 0) {
        return -1;
    }
    view_finish(&view);
    view = (struct view){0};
    if (print_report(&report, request, err) < 0) {
        return -1;
    }
    bool is_damaged = report.damage > report.repaired || report.more > 0;
    return is_damaged ? EXIT_DAMAGED : report.failed > 0 ? EXIT_CODE_ERROR : 0;
}

static const char *const formats[] = {"text", "json", NULL};

static const struct option_row options[] = {
    OPTION_FLAG("repair", 'r', struct check_request, repair, "Make good what is found"),
    OPTION_FLAG("force", 'f', struct check_request, force, "With --repair: remove images that cannot be repaired"),
    OPTION_FLAG("quick", 'q', struct check_request, quick, "Do not read what layers hold"),
    OPTION_LIST("from", 0, "SOURCE", struct check_request, sources,
                "With --repair: look for damaged images in SOURCE first, a file or directory as coffer load takes it"),
    OPTION_CHOICE("format", 0, "FORMAT", formats, struct check_request, format, "Print text, or one JSON document [default text]"),
    OPTION_GROUP("Registries"),
    OPTION_STRING("authfile", 0, "FILE", struct check_request, registry.authfile,
                  "Take logins from FILE alone [default: as coffer pull does]", .complete = COMPLETE_FILE),
    OPTION_OPT_FLAG("tls-verify", 0, struct check_request, registry.tls_verify,
                    "Verify registries' certificates; with =false http will do, too [default true]"),
    {0},
};

const struct command command_system_check = {
    .name = "check",
    .usage = "[IMAGE...]",
    .summary = "Check that all images are what they were when they came, and repair what is not",
    .description = "Holds manifests and configurations against their digests, layers against the diff ids and records of their "
                   "tars, records and "
                   "names against each other, and files of the store against what belongs there. With IMAGE only what these need. "
                   "A finding is a "
                   "line on standard output. Leftovers of commands that were killed are told, but are no damage.\n\n"
                   "With --repair damaged layers and documents are brought again, from the files that --from names or from the "
                   "registries that the "
                   "image has a name in, by the digest of its manifest: its id and its names stay. What a running container uses, "
                   "or is mounted, "
                   "is told, and stays as it is. Files that do not belong into the store are moved to lost+found/ in it, names "
                   "that lead nowhere "
                   "and leftovers are removed.\n\n"
                   "The exit code is 0 when all is well or has been repaired, 1 when there is damage, and 125 when the check "
                   "itself failed, of one "
                   "layer perhaps.",
    .examples = "coffer system check\ncoffer system check --quick\ncoffer system check --repair --from oci-archive:app.tar app",
    .group = COMMAND_GROUP_OTHER,
    .max_operands = COMMAND_ANY_COUNT,
    .operands = COMPLETE_IMAGE,
    .options = options,
    .request_size = sizeof(struct check_request),
    .run = run,
};
