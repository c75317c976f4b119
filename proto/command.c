/* command - a table of kinds and a table of members; decoding follows them. */
#include "proto/command.h"

#include "proto/event.h"
#include "proto/id.h"
#include "proto/text.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const struct command_previews COMMAND_PREVIEWS_DEFAULT = {
    .every_ms = 0, .max_px = LIMIT_PREVIEW_PX_DEFAULT, .format = FRAME_JPEG};

enum member {
    TYPE,
    REF,
    SPEC,
    KEY,
    WATCH,
    JOB,
    SEQ,
    ON,
    STATE,
    LIMIT,
    BEFORE,
    EVERY,
    MAX,
    FORMAT,
    ALL,
    USER,
    HOLD,
    MAX_WAIT,
    LEAVE,
    DEADLINE,
    UNDO,
    TEXT,
    CONCURRENCY,
    QUEUE,
    JOB_SECONDS,
    PARENT,
    SWEEP,
    PICTURES,
    FRESH,
    PRIVATE,
    SHARED,
    TTL,
    WEBHOOK,
    RESULTS,
    SEARCH,
    WIDTH,
    HEIGHT,
    FROM,
    UNTIL,
    FAVOURITE,
    SKIP,
    UPLOAD,
    BYTES,
    IMAGE
};
#define HAS(m) (UINT64_C(1) << (m))
#define SEARCHES \
    (HAS(SEARCH) | HAS(WIDTH) | HAS(HEIGHT) | HAS(FROM) | HAS(UNTIL) | HAS(FAVOURITE) | HAS(SKIP))

struct kind {
    const char *name;
    uint64_t members;  /* allowed besides type and ref */
    uint64_t required; /* of these */
    uint64_t one_of;   /* of these exactly one, if any stands here */
    bool connection;   /* it is about the connection that it comes on */
};

static const struct kind KIND[COMMAND_KINDS] = {
    [COMMAND_SUBMIT] = {"submit",
                        HAS(SPEC) | HAS(KEY) | HAS(WATCH) | HAS(HOLD) | HAS(MAX_WAIT) | HAS(SWEEP)
                            | HAS(PICTURES) | HAS(FRESH) | HAS(LEAVE) | HAS(PRIVATE) | HAS(WEBHOOK),
                        HAS(SPEC)},
    [COMMAND_QUOTE] = {"quote", HAS(SPEC) | HAS(SWEEP) | HAS(PICTURES), HAS(SPEC)},
    [COMMAND_WATCH] = {"watch", HAS(JOB) | HAS(SEQ), HAS(JOB), .connection = true},
    [COMMAND_UNWATCH] = {"unwatch", HAS(JOB), HAS(JOB), .connection = true},
    [COMMAND_CANCEL] = {"cancel", HAS(JOB) | HAS(STATE) | HAS(ALL) | HAS(USER) | HAS(PARENT), 0,
                        HAS(JOB) | HAS(STATE) | HAS(ALL) | HAS(PARENT)},
    [COMMAND_HOLD] = {"hold", HAS(JOB), HAS(JOB)},
    [COMMAND_RELEASE] = {"release", HAS(JOB), HAS(JOB)},
    [COMMAND_REORDER] = {"reorder", HAS(JOB) | HAS(BEFORE), HAS(JOB) | HAS(BEFORE)},
    [COMMAND_PAUSE] = {"pause", 0, 0},
    [COMMAND_RESUME] = {"resume", 0, 0},
    [COMMAND_DRAIN] = {"drain", HAS(DEADLINE) | HAS(UNDO) | HAS(TEXT), 0,
                       HAS(DEADLINE) | HAS(UNDO)},
    [COMMAND_NOTICE] = {"notice", HAS(TEXT), HAS(TEXT)},
    [COMMAND_SET] = {"set", HAS(CONCURRENCY) | HAS(QUEUE) | HAS(JOB_SECONDS), 0},
    [COMMAND_USERS] = {"users", 0, 0},
    [COMMAND_LOG] = {"log", HAS(SEQ) | HAS(LIMIT), 0},
    [COMMAND_FINISH] = {"finish", HAS(JOB), HAS(JOB)},
    [COMMAND_DELETE] = {"delete", HAS(JOB), HAS(JOB)},
    [COMMAND_FAVOURITE] = {"favourite", HAS(JOB) | HAS(ON), HAS(JOB)},
    [COMMAND_SHARE] = {"share", HAS(JOB) | HAS(TTL), HAS(JOB)},
    [COMMAND_UNSHARE] = {"unshare", HAS(JOB), HAS(JOB)},
    [COMMAND_AMEND] = {"amend", HAS(JOB) | HAS(LEAVE), HAS(JOB) | HAS(LEAVE)},
    [COMMAND_LIST] = {"list",
                      HAS(STATE) | HAS(LIMIT) | HAS(BEFORE) | HAS(PARENT) | HAS(SHARED)
                          | HAS(RESULTS) | SEARCHES,
                      0},
    [COMMAND_JOB] = {"job", HAS(JOB), HAS(JOB)},
    [COMMAND_PREVIEWS] = {"previews", HAS(EVERY) | HAS(MAX) | HAS(FORMAT), .connection = true},
    [COMMAND_UPLOAD] = {"upload", HAS(UPLOAD) | HAS(BYTES) | HAS(PRIVATE), 0,
                        HAS(UPLOAD) | HAS(BYTES), .connection = true},
    [COMMAND_COMMIT] = {"commit", HAS(UPLOAD), HAS(UPLOAD), .connection = true},
    [COMMAND_UPLOADS] = {"uploads", 0, 0},
    [COMMAND_DISCARD] = {"discard", HAS(UPLOAD) | HAS(IMAGE), 0, HAS(UPLOAD) | HAS(IMAGE)},
    [COMMAND_STATS] = {"stats", HAS(ON), 0},
    [COMMAND_PING] = {"ping", 0, 0},
};

const char *command_kind_name(enum command_kind kind)
{
    assert((int)kind >= 0 && kind < COMMAND_KINDS);
    return KIND[kind].name;
}

int command_kind_parse(const char *name)
{
    for (int i = 0; i < COMMAND_KINDS; i++)
        if (strcmp(KIND[i].name, name) == 0) return i;
    return -1;
}

/* ---- readers of one value; name is the member's, for the error ---- */

/* 1 to max visible ASCII characters into out[max + 1]. */
static int read_token(const char *name, const json_t *v, char *out, size_t max, struct fail *f)
{
    const char *s = json_string_value(v);
    size_t len = s ? strlen(s) : 0;
    bool good = len >= 1 && len <= max;

    for (size_t i = 0; good && i < len; i++)
        good = s[i] > ' ' && s[i] <= '~';
    if (good) {
        memcpy(out, s, len + 1);
        return 0;
    }
    fail_field(f, ERR_BAD_FIELD, name, "%s is not a string of 1 to %zu visible ASCII characters",
               name, max);
    return fail_advise(f, "Use letters and digits, for example a random number in hex.");
}

static int read_webhook(const char *name, const json_t *v, char *out, struct fail *f)
{
    int err = read_token(name, v, out, LIMIT_WEBHOOK_BYTES, f);

    return err ? fail_advise(f, "Use an address such as \"https://hooks.example.org/darkroom\".")
               : 0;
}

static int read_whole(const char *name, const json_t *v, double min, double max, double *out,
                      struct fail *f)
{
    double value = json_is_number(v) ? json_number_value(v) : NAN;

    if (value >= min && value <= max && value == floor(value)) {
        *out = value;
        return 0;
    }
    fail_field(f, ERR_BAD_FIELD, name, "%s is not a whole number from %.0f to %.0f", name, min,
               max);
    return fail_advise(f, "Use %.0f to %.0f, without quotes.", min, max);
}

static int read_int(const char *name, const json_t *v, int min, int max, int *out, struct fail *f)
{
    double value = 0;
    int err = read_whole(name, v, min, max, &value, f);

    if (!err) *out = (int)value;
    return err;
}

static int read_bool(const char *name, const json_t *v, bool *out, struct fail *f)
{
    if (json_is_boolean(v)) {
        *out = json_is_true(v);
        return 0;
    }
    fail_field(f, ERR_BAD_FIELD, name, "%s is neither true nor false", name);
    return fail_advise(f, "Use true or false, without quotes.");
}

static int read_job(const char *name, const json_t *v, uint64_t *out, struct fail *f)
{
    if (json_is_string(v) && id_parse(json_string_value(v), out)) return 0;
    fail_field(f, ERR_BAD_FIELD, name, "%s is not a job's id", name);
    return fail_advise(f, "Use the 16 hex digits that `accepted` gave as job.");
}

static int read_state(const char *name, const json_t *v, int *out, struct fail *f)
{
    *out = json_is_string(v) ? event_state_parse(json_string_value(v)) : -1;
    if (*out >= 0) return 0;
    fail_field(f, ERR_BAD_FIELD, name, "%s is not the name of a state", name);
    return fail_advise(f, "Use queued, running, done, failed or cancelled, or leave it out.");
}

static int read_format(const char *name, const json_t *v, enum frame_format *out, struct fail *f)
{
    const char *s = json_is_string(v) ? json_string_value(v) : "";

    for (int i = FRAME_NONE; i <= FRAME_PNG; i++) {
        *out = (enum frame_format)i;
        if (strcmp(frame_format_name(*out), s) == 0) return 0;
    }
    fail_field(f, ERR_BAD_FIELD, name, "%s is not the name of a format", name);
    return fail_advise(f, "Use \"jpeg\", \"png\" or \"none\".");
}

static int read_seq(const char *name, const json_t *v, uint64_t *out, struct fail *f)
{
    double value = 0;
    int err = read_whole(name, v, 0, (double)LIMIT_SEQ_MAX, &value, f);

    *out = (uint64_t)value;
    return err;
}

static int read_user(const char *name, const json_t *v, char *out, struct fail *f)
{
    const char *s = json_string_value(v);

    if (s && user_name_valid(s)) {
        memcpy(out, s, strlen(s) + 1);
        return 0;
    }
    fail_field(f, ERR_BAD_FIELD, name, "%s is not the name of a user", name);
    return fail_advise(f, "Use the name that `darkroom user list` has, or leave it out.");
}

/* "keep", or {"cancel_after_ms": N} */
static int read_leave(const char *name, const json_t *v, int *out, struct fail *f)
{
    const json_t *after = json_object_get(v, "cancel_after_ms");

    *out = 0;
    if (json_is_string(v) && strcmp(json_string_value(v), "keep") == 0) return 0;
    if (after && json_object_size(v) == 1)
        return read_int("cancel_after_ms", after, 1, LIMIT_WAIT_MS, out, f);
    fail_field(f, ERR_BAD_FIELD, name, "%s says neither to keep nor to cancel the job", name);
    return fail_advise(f, "Use \"keep\" or {\"cancel_after_ms\": 10000}.");
}

static const char *const MEMBER[] = {
    [TYPE] = "type",
    [REF] = "ref",
    [SPEC] = "spec",
    [KEY] = "key",
    [WATCH] = "watch",
    [JOB] = "job",
    [SEQ] = "seq",
    [ON] = "on",
    [STATE] = "state",
    [LIMIT] = "limit",
    [BEFORE] = "before",
    [EVERY] = "every_ms",
    [MAX] = "max_px",
    [FORMAT] = "format",
    [ALL] = "all",
    [USER] = "user",
    [HOLD] = "hold",
    [MAX_WAIT] = "max_wait_ms",
    [LEAVE] = "on_disconnect",
    [DEADLINE] = "deadline_ms",
    [UNDO] = "cancel",
    [TEXT] = "text",
    [CONCURRENCY] = "concurrency",
    [QUEUE] = "queue",
    [JOB_SECONDS] = "job_seconds",
    [PARENT] = "parent",
    [SWEEP] = "sweep",
    [PICTURES] = "n",
    [FRESH] = "fresh",
    [PRIVATE] = "private",
    [SHARED] = "shared",
    [TTL] = "ttl_s",
    [WEBHOOK] = "webhook",
    [RESULTS] = "results",
    [SEARCH] = "search",
    [WIDTH] = "width",
    [HEIGHT] = "height",
    [FROM] = "from_ms",
    [UNTIL] = "until_ms",
    [FAVOURITE] = "favourite",
    [SKIP] = "skip",
    [UPLOAD] = "upload",
    [BYTES] = "bytes",
    [IMAGE] = "image",
};
#define MEMBERS ((int)(sizeof MEMBER / sizeof *MEMBER))

/* "cancel" of drain is a flag that can only be true. */
static int read_true(const char *name, const json_t *v, bool *out, struct fail *f)
{
    *out = json_is_true(v);
    if (*out) return 0;
    fail_field(f, ERR_BAD_FIELD, name, "%s is not true", name);
    return fail_advise(f, "Use true, or leave it out.");
}

/* Words for people to read, or null for none. */
static int read_words(const char *name, const json_t *v, char *out, struct fail *f)
{
    size_t len = json_is_string(v) ? json_string_length(v) : 0;

    if (json_is_null(v)) return 0;
    if (len >= 1 && len <= LIMIT_NOTICE_BYTES) {
        memcpy(out, json_string_value(v), len + 1);
        return 0;
    }
    fail_field(f, ERR_BAD_FIELD, name, "%s is not a text of 1 to %d bytes", name,
               LIMIT_NOTICE_BYTES);
    return fail_advise(f, "Use a sentence or two, or null for none.");
}

static int read_search(const char *name, const json_t *v, char *out, struct fail *f)
{
    size_t len = json_is_string(v) ? json_string_length(v) : LIMIT_SEARCH_BYTES + 1;

    if (len <= LIMIT_SEARCH_BYTES) {
        memcpy(out, json_string_value(v), len + 1);
        return 0;
    }
    fail_field(f, ERR_BAD_FIELD, name, "%s is not a text of up to %d bytes", name,
               LIMIT_SEARCH_BYTES);
    return fail_advise(f, "Use a few words of the prompt.");
}

static int read_image(const char *name, const json_t *v, uint8_t *out, struct fail *f)
{
    if (json_is_string(v) && spec_digest_parse(json_string_value(v), out)) return 0;
    fail_field(f, ERR_BAD_FIELD, name, "%s is not the digest of a picture", name);
    return fail_advise(f, "Use the 64 hex digits that the upload's answer has.");
}

static int read_bytes(const char *name, const json_t *v, int64_t *out, struct fail *f)
{
    double value = 0;
    int err = read_whole(name, v, 1, (double)LIMIT_SEQ_MAX, &value, f);

    *out = (int64_t)value;
    return err;
}

/* Members of uploads alone. */
static int read_of_uploads(int m, const char *name, const json_t *v, struct command *c,
                           struct fail *f)
{
    switch (m) {
    case UPLOAD: return read_job(name, v, &c->upload, f);
    case BYTES: return read_bytes(name, v, &c->bytes, f);
    case IMAGE: return read_image(name, v, c->image, f);
    default: return 0; /* type and ref are read already, spec and sweep are next */
    }
}

/* Which finished pictures a list is to have. */
static int read_of_results(int m, const char *name, const json_t *v, struct command *c,
                           struct fail *f)
{
    struct command_search *s = &c->search;

    switch (m) {
    case RESULTS: return read_bool(name, v, &c->results, f);
    case SEARCH: return read_search(name, v, s->words, f);
    case WIDTH: return read_int(name, v, 1, LIMIT_SIDE_MAX, &s->width, f);
    case HEIGHT: return read_int(name, v, 1, LIMIT_SIDE_MAX, &s->height, f);
    case FROM: return read_whole(name, v, 0, (double)LIMIT_SEQ_MAX, &s->from_ms, f);
    case UNTIL: return read_whole(name, v, 1, (double)LIMIT_SEQ_MAX, &s->until_ms, f);
    case FAVOURITE: return read_bool(name, v, &s->favourite, f);
    case SKIP: return read_int(name, v, 0, INT_MAX, &s->skip, f);
    default: return read_of_uploads(m, name, v, c, f);
    }
}

/* Members that only messages of administrators have. */
static int read_of_admin(int m, const char *name, const json_t *v, struct command *c,
                         struct fail *f)
{
    switch (m) {
    case DEADLINE: return read_int(name, v, 0, LIMIT_WAIT_MS, &c->deadline_ms, f);
    case UNDO: return read_true(name, v, &c->undo, f);
    case TEXT: return read_words(name, v, c->text, f);
    case CONCURRENCY: return read_int(name, v, 0, LIMIT_BATCH, &c->set.concurrency, f);
    case QUEUE: return read_int(name, v, 1, LIMIT_QUEUE_MAX, &c->set.queue, f);
    case JOB_SECONDS: return read_int(name, v, 1, LIMIT_JOB_SECONDS_MAX, &c->set.job_seconds, f);
    default: return read_of_results(m, name, v, c, f);
    }
}

static int read_member(int m, const json_t *v, struct command *c, struct fail *f)
{
    const char *name = MEMBER[m];

    switch (m) {
    case KEY: return read_token(name, v, c->key, LIMIT_KEY_BYTES, f);
    case WATCH: return read_bool(name, v, &c->watch, f);
    case JOB: return read_job(name, v, &c->job, f);
    case SEQ: return read_seq(name, v, &c->seq, f);
    case ON: return read_bool(name, v, &c->on, f);
    case STATE: return read_state(name, v, &c->state, f);
    case LIMIT: return read_int(name, v, 1, LIMIT_LIST, &c->limit, f);
    case BEFORE:
        if (c->kind == COMMAND_REORDER && json_is_null(v)) return 0;
        return read_job(name, v, &c->before, f);
    case EVERY: return read_int(name, v, 0, LIMIT_PREVIEW_EVERY_MS, &c->previews.every_ms, f);
    case MAX:
        return read_int(name, v, LIMIT_PREVIEW_PX_MIN, LIMIT_PREVIEW_PX_MAX, &c->previews.max_px,
                        f);
    case FORMAT: return read_format(name, v, &c->previews.format, f);
    case ALL: return read_bool(name, v, &c->all, f);
    case MAX_WAIT: return read_int(name, v, 1, LIMIT_WAIT_MS, &c->max_wait_ms, f);
    case HOLD: return read_bool(name, v, &c->hold, f);
    case PRIVATE: return read_bool(name, v, &c->private, f);
    case SHARED: return read_bool(name, v, &c->shared, f);
    case TTL: return read_int(name, v, 1, LIMIT_SHARE_SECONDS, &c->ttl_s, f);
    case WEBHOOK: return read_webhook(name, v, c->webhook, f);
    case LEAVE: return read_leave(name, v, &c->unwatched_ms, f);
    case PARENT: return read_job(name, v, &c->parent, f);
    case FRESH: return read_bool(name, v, &c->fresh, f);
    case PICTURES: return read_int(name, v, 1, LIMIT_PICTURES, &c->pictures, f);
    case USER: return read_user(name, v, c->user, f);
    default: return read_of_admin(m, name, v, c, f);
    }
}

/* ---- the whole message ---- */

/* "a, b, c" of the members that a kind knows */
static void list_members(const struct kind *kind, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "type, ref");

    for (int m = 0; m < MEMBERS; m++)
        if (kind->members & HAS(m) && len < size)
            len += (size_t)snprintf(out + len, size - len, ", %s", MEMBER[m]);
}

static int fail_unknown(const struct kind *kind, const char *name, struct fail *f)
{
    char all[320];

    fail_field(f, ERR_BAD_FIELD, name, "%s has no member \"%.60s\"", kind->name, name);
    if (kind->members & HAS(SPEC) && spec_field_parse(name) >= 0)
        return fail_advise(f, "It is a field of spec: write \"spec\": {\"%s\": ..}.", name);
    list_members(kind, all, sizeof all);
    return fail_advise(f, "Its members are %s.", all);
}

/* Whether the members that are given make a message of this kind. */
static int check_given(const struct kind *kind, uint64_t given, struct fail *f)
{
    uint64_t one = given & kind->one_of;
    int last = 0, first = MEMBERS;

    for (int m = 0; m < MEMBERS; m++) {
        if (kind->required & ~given & HAS(m)) {
            fail_field(f, ERR_BAD_FIELD, MEMBER[m], "%s needs %s", kind->name, MEMBER[m]);
            return fail_advise(f, "Add \"%s\" to the message.", MEMBER[m]);
        }
        if (kind->one_of & HAS(m) && first == MEMBERS) first = m;
        if (one & HAS(m)) last = m;
    }
    if (first == MEMBERS || one == HAS(last)) return 0;
    if (!one) {
        fail_field(f, ERR_BAD_FIELD, MEMBER[first], "%s needs %s", kind->name, MEMBER[first]);
        return fail_advise(f, "Add \"%s\" to the message.", MEMBER[first]);
    }
    fail_field(f, ERR_BAD_FIELD, MEMBER[last], "%s has %s beside another way to say which",
               kind->name, MEMBER[last]);
    return fail_advise(f, "Leave \"%s\" or the other one out.", MEMBER[last]);
}

/* cancel alone: what its filter can mean. */
static int check_filter(const struct command *c, struct fail *f)
{
    if (c->kind != COMMAND_CANCEL) return 0;
    if (*c->user && (c->job || c->parent)) {
        fail_field(f, ERR_BAD_FIELD, "user", "user has no meaning beside %s",
                   c->job ? "job" : "parent");
        return fail_advise(f, "Leave \"user\" out.");
    }
    if (c->state > STATE_RUNNING) {
        fail_field(f, ERR_BAD_FIELD, "state", "Jobs that are over cannot be cancelled");
        return fail_advise(f, "Use queued or running.");
    }
    if (c->job || c->parent || c->state >= 0 || c->all) return 0;
    fail_field(f, ERR_BAD_FIELD, "all", "all is false");
    return fail_advise(f, "Use true, or name a job or a state.");
}

/* list alone: what it says of finished pictures says nothing of other jobs. */
static int check_results(const struct command *c, uint64_t given, struct fail *f)
{
    uint64_t wrong = c->kind != COMMAND_LIST ? 0
                     : c->results            ? HAS(STATE) | HAS(BEFORE) | HAS(PARENT) | HAS(SHARED)
                                             : SEARCHES;

    for (int m = 0; m < MEMBERS; m++) {
        if (!(wrong & given & HAS(m))) continue;
        fail_field(f, ERR_BAD_FIELD, MEMBER[m], "%s has no meaning %s results", MEMBER[m],
                   c->results ? "beside" : "without");
        return fail_advise(f, c->results ? "Leave one of the two out."
                                         : "Add \"results\": true, or leave it out.");
    }
    return 0;
}

/* The request: what its sweep has, its spec may leave out. */
static int read_request(const json_t *root, const struct spec_limits *limits, struct command *c,
                        struct fail *f)
{
    const json_t *spec = json_object_get(root, "spec"), *sweep = json_object_get(root, "sweep");
    int err = spec_decode_but(&c->spec, spec, sweep_fields(sweep), limits, f);

    if (!err) err = sweep_decode(&c->sweep, sweep, c->pictures, c->spec.prior_from != 0, limits, f);
    return err ? err : sweep_join(&c->sweep, &c->spec, limits, f);
}

static int read_members(const json_t *root, const struct spec_limits *limits, struct command *c,
                        struct fail *f)
{
    const struct kind *kind = &KIND[c->kind];
    uint64_t known = kind->members | HAS(TYPE) | HAS(REF), given = 0;
    const char *name;
    json_t *v;
    int err;

    json_object_foreach((json_t *)(uintptr_t)root, name, v)
    {
        int m = 0;

        while (m < MEMBERS && strcmp(MEMBER[m], name) != 0)
            m++;
        err = m < MEMBERS && known & HAS(m) ? read_member(m, v, c, f) : fail_unknown(kind, name, f);
        if (err) return err;
        given |= HAS(m);
    }
    err = check_given(kind, given, f);
    if (!err && given & HAS(SPEC)) err = read_request(root, limits, c, f);
    if (!err) err = check_results(c, given, f);
    return err ? err : check_filter(c, f);
}

static int fail_kind(const json_t *type, struct fail *f)
{
    char all[380] = "";
    size_t len = 0;

    for (int i = 0; i < COMMAND_KINDS && len < sizeof all; i++)
        len += (size_t)snprintf(all + len, sizeof all - len, "%s%s", i ? ", " : "", KIND[i].name);
    if (json_is_string(type))
        fail_field(f, ERR_BAD_REQUEST, "type", "there is no command \"%.40s\"",
                   json_string_value(type));
    else
        fail_field(f, ERR_BAD_REQUEST, "type", "type is %s", type ? "not a string" : "missing");
    return fail_advise(f, "Use one of %s.", all);
}

/* type, ref and job first, so that every later error can say what it is about. */
static int read_envelope(const json_t *root, struct command *c, struct fail *f)
{
    const json_t *type = json_object_get(root, "type"), *ref = json_object_get(root, "ref");
    const json_t *job = json_object_get(root, "job");
    int err;

    if (json_is_string(type)) c->kind = command_kind_parse(json_string_value(type));
    if (job) read_job("job", job, &c->job, NULL);
    err = ref ? read_token("ref", ref, c->ref, LIMIT_REF_BYTES, f) : 0;
    if (err) return err;
    return c->kind < 0 ? fail_kind(type, f) : 0;
}

void command_scanned(const struct scan *s, struct command *c)
{
    c->kind = command_kind_parse(s->type);
    memcpy(c->ref, s->ref, sizeof c->ref);
    if (!id_parse(s->job, &c->job)) c->job = 0;
}

/* What the text says of itself, though it cannot be parsed. */
static void read_broken(const char *text, size_t len, struct command *c)
{
    struct scan s;

    scan_init(&s);
    scan_feed(&s, text, len);
    command_scanned(&s, c);
}

int command_read(const json_t *root, const struct spec_limits *limits, struct command *c,
                 struct fail *f)
{
    int err;

    *c = (struct command){.kind = -1,
                          .watch = true,
                          .on = true,
                          .state = -1,
                          .set = {-1, -1, -1},
                          .limit = LIMIT_LIST_DEFAULT,
                          .ttl_s = LIMIT_SHARE_DEFAULT,
                          .pictures = 1,
                          .previews = COMMAND_PREVIEWS_DEFAULT};
    err = read_envelope(root, c, f);
    if (!err) err = read_members(root, limits, c, f);
    if (err) command_free(c);
    return err;
}

int command_decode(const char *text, size_t len, const struct spec_limits *limits,
                   struct command *c, struct fail *f)
{
    struct fail why;
    json_t *root = text_parse(text, len, LIMIT_MESSAGE_BYTES, &why);
    int err = root ? command_read(root, limits, c, &why) : (int)why.code;

    if (!root) {
        *c = (struct command){.kind = -1};
        read_broken(text, len, c);
    }
    if (err && f) *f = why;
    json_decref(root);
    return err;
}

void command_free(struct command *c)
{
    spec_free(&c->spec);
    sweep_free(&c->sweep);
}

/* ---- members by name ---- */

static uint64_t member_bit(const char *name)
{
    for (int m = 0; m < MEMBERS; m++)
        if (strcmp(MEMBER[m], name) == 0) return HAS(m);
    return 0;
}

bool command_has(enum command_kind kind, const char *member)
{
    return (KIND[kind].members & member_bit(member)) != 0;
}

bool command_needs(enum command_kind kind, const char *member)
{
    return (KIND[kind].required & member_bit(member)) != 0;
}

bool command_text(const char *member)
{
    uint64_t texts = HAS(TYPE) | HAS(REF) | HAS(KEY) | HAS(JOB) | HAS(STATE) | HAS(BEFORE)
                     | HAS(FORMAT) | HAS(USER) | HAS(PARENT) | HAS(SEARCH);

    return (member_bit(member) & texts) != 0;
}

bool command_connection(enum command_kind kind)
{
    return KIND[kind].connection;
}
