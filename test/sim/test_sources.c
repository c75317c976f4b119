/* test_sources - pictures that jobs begin with, under random operations on the real core: uploads
 * whole and in parts, private ones, jobs that begin with them or with results, discards, time,
 * a disk that refuses or prunes, kills. The rules are checked after each operation.
 *     DARKROOM_SEED=7 DARKROOM_OPERATIONS=100000 build/release/test/sim/test_sources */
#include "test/sim/world.h"

#include "proto/frame.h"

#include <jansson.h>

enum { CLIENTS = 6, OWNERS = 3, PICTURES = 10, OPERATIONS = 20000, BOUND = 160 };

static const int64_t KEEP_US = 5000000; /* longer than any job waits here */

/* What a client was told about a picture of its user, by the last answer that is certain. */
enum told { UNKNOWN, KEPT, GONE };

struct bed {
    struct world *w;
    struct client *c[CLIENTS];
    char upload[CLIENTS][17]; /* one on its way; "": none */
    enum told told[OWNERS][PICTURES];
    int asking[OWNERS][PICTURES]; /* commands about it that are not answered */
    bool mixed[OWNERS][PICTURES]; /* several at a time, whose order is not known */
    long forgotten;               /* how often */
    long kept, gone, accepted, refused, private_jobs, conflicts, restarts, pruned, over;
};

static void sleeper(struct world *w, void *session)
{
    (void)w, (void)session;
}

/* The first PICTURES are uploaded for the disk, the others as private ones. */
static size_t picture(int i, char out[64])
{
    return (size_t)snprintf(out, 64, "picture %d %.*s", i, 10 + i % PICTURES,
                            "xxxxxxxxxxxxxxxxxxxxxxxx");
}

static void digest_of(int i, char text[SPEC_DIGEST_TEXT], uint8_t out[SPEC_DIGEST_BYTES])
{
    char bytes[64];

    image_digest(bytes, picture(i, bytes), out);
    spec_digest_text(out, text);
}

static int owner_of(int c)
{
    return c % OWNERS;
}

static uint32_t user_of(const struct bed *b, int owner)
{
    return b->w->users[owner].id;
}

/* --- answers ---------------------------------------------------------------------------------- */

/* Answers name the picture in their ref: u3 upload, p3 private, d3 discard, s submit; and behind a
 * point how often all was forgotten before they were asked for. */
static void hear(struct bed *b, int c, const char *type, const char *ref, const char *code)
{
    const int i = ref[0] ? (int)strtol(ref + 1, NULL, 10) : 0, o = owner_of(c);
    const char *point = strchr(ref, '.');

    if (ref[0] == 's') {
        b->accepted += strcmp(type, "accepted") == 0;
        b->refused += strcmp(type, "error") == 0;
    }
    if (ref[0] == 'u' && strcmp(type, "image") == 0) b->kept++;
    if (ref[0] == 'd' && strcmp(type, "ok") == 0) b->gone++;
    b->conflicts += ref[0] == 'd' && strcmp(code, "conflict") == 0;
    b->over += ref[0] == 'u' && strcmp(code, "too_large") == 0;
    if (ref[0] != 'u' && ref[0] != 'd') return;
    if (!point || strtol(point + 1, NULL, 10) != b->forgotten) return;
    if (--b->asking[o][i] > 0 || b->mixed[o][i]) {
        b->mixed[o][i] = b->asking[o][i] > 0;
        return;
    }
    if (strcmp(type, "image") == 0) b->told[o][i] = KEPT;
    if (strcmp(type, "ok") == 0) b->told[o][i] = GONE;
}

static void listen(struct bed *b, int c)
{
    struct blob *m;
    bool binary;

    while (b->c[c] && (m = hub_next(b->w->hub, b->w->now, b->c[c], &binary))) {
        json_t *o = binary ? NULL : json_loadb((const char *)m->data, m->len, 0, NULL);
        const char *type = json_string_value(json_object_get(o, "type"));
        const char *ref = json_string_value(json_object_get(o, "ref"));
        const char *code = json_string_value(json_object_get(o, "code"));
        const char *id = json_string_value(json_object_get(o, "upload"));

        if (type && strcmp(type, "upload") == 0)
            snprintf(b->upload[c], sizeof b->upload[c], "%s", id);
        else if (type && ref)
            hear(b, c, type, ref, code ? code : "");
        json_decref(o);
        blob_unref(m);
    }
}

/* --- operations ------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void say(struct bed *b, int c, const char *format, ...)
{
    char text[1024];
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    world_enter(b->w);
    hub_text(b->w->hub, b->w->now, b->c[c], text, (size_t)n);
}

static void ask_about(struct bed *b, int c, int i)
{
    b->mixed[owner_of(c)][i] |= b->asking[owner_of(c)][i]++ > 0;
    b->told[owner_of(c)][i] = UNKNOWN;
}

static void upload_whole(struct bed *b, int c)
{
    char bytes[64], ref[32];
    const bool private = chance(b->w, 0.3);
    const int i = pick(b->w, PICTURES) + (private ? PICTURES : 0); /* a digest names one upload */

    if (!private) ask_about(b, c, i);
    snprintf(ref, sizeof ref, "%c%d.%ld", private ? 'p' : 'u', i, b->forgotten);
    world_enter(b->w);
    hub_upload(b->w->hub, b->w->now, b->c[c], ref, bytes, picture(i, bytes), private);
}

/* The upload's next step, whatever it is: also a wrong one. */
static void upload_parts(struct bed *b, int c)
{
    char message[FRAME_HEADER + 64] = "DRKM\1\2";
    const uint64_t id = strtoull(b->upload[c], NULL, 16);
    const int i = PICTURES + c; /* each client has its own, which is private */
    const size_t n = picture(i, message + FRAME_HEADER);

    if (!b->upload[c][0]) {
        say(b, c, "{\"type\":\"upload\",\"ref\":\"b\",\"bytes\":%zu,\"private\":true}", n);
        return;
    }
    for (int k = 0; k < 8; k++)
        message[8 + k] = (char)(id >> 8 * k);
    message[28] = (char)n;
    if (chance(b->w, 0.1)) message[16] = 1; /* not its beginning */
    world_enter(b->w);
    hub_chunk(b->w->hub, b->w->now, b->c[c], message, FRAME_HEADER + n);
    say(b, c, "{\"type\":\"%s\",\"ref\":\"c\",\"upload\":\"%s\"}",
        chance(b->w, 0.8) ? "commit" : "discard", b->upload[c]);
    b->upload[c][0] = '\0';
}

static void discard(struct bed *b, int c)
{
    char digest[SPEC_DIGEST_TEXT];
    uint8_t bytes[SPEC_DIGEST_BYTES];
    const int i = pick(b->w, PICTURES);

    ask_about(b, c, i);
    digest_of(i, digest, bytes);
    say(b, c, "{\"type\":\"discard\",\"ref\":\"d%d.%ld\",\"image\":\"%s\"}", i, b->forgotten,
        digest);
}

/* A picture, or a finished job, perhaps another user's. */
static void some_source(struct bed *b, char out[SPEC_DIGEST_TEXT])
{
    const struct job *j = b->w->hub->registry.newest;
    uint8_t digest[SPEC_DIGEST_BYTES];

    digest_of(pick(b->w, 2 * PICTURES), out, digest);
    for (int skip = pick(b->w, 60); j && skip > 0; skip--)
        j = j->links.older;
    if (j && chance(b->w, 0.3))
        snprintf(out, SPEC_DIGEST_TEXT, "%016llx", (unsigned long long)j->id);
}

static void submit(struct bed *b, int c)
{
    char one[SPEC_DIGEST_TEXT], two[SPEC_DIGEST_TEXT];
    const bool private = chance(b->w, 0.4);

    some_source(b, one);
    some_source(b, two);
    b->private_jobs += private;
    say(b, c,
        "{\"type\":\"submit\",\"ref\":\"s\",\"watch\":false,\"private\":%s,\"spec\":{\"prompt\":"
        "\"x\",\"width\":64,\"height\":64,\"steps\":%d,\"images\":[\"%s\",\"%s\"]}}",
        private ? "true" : "false", 1 + pick(b->w, 3), one, chance(b->w, 0.5) ? one : two);
}

/* Answers to those who have left, or were killed, are not known. */
static void nothing_is_known(struct bed *b)
{
    b->forgotten++;
    for (int o = 0; o < OWNERS; o++)
        for (int i = 0; i < PICTURES; i++)
            if (b->asking[o][i])
                b->told[o][i] = UNKNOWN, b->asking[o][i] = 0, b->mixed[o][i] = false;
}

/* The jobs that are over go, with what they say of pictures. */
static void delete_jobs(struct bed *b, int c)
{
    uint64_t id[16];
    int n = 0;

    for (const struct job *j = b->w->hub->registry.newest; j && n < 16; j = j->links.older)
        if (job_over(j) && j->owner == b->c[c]->account) id[n++] = j->id;
    while (n-- > 0)
        say(b, c, "{\"type\":\"delete\",\"ref\":\"x\",\"job\":\"%016llx\"}",
            (unsigned long long)id[n]);
}

static void client_does(struct bed *b, int c)
{
    struct world *w = b->w;

    if (!b->c[c]) {
        b->c[c] = hub_open(w->hub, NULL, user_of(b, owner_of(c)));
        b->upload[c][0] = '\0';
        return;
    }
    switch (pick(w, 12)) {
    case 0:
    case 1:
    case 2: upload_whole(b, c); break;
    case 3: upload_parts(b, c); break;
    case 4: discard(b, c); break;
    case 5:
    case 6:
    case 7: submit(b, c); break;
    case 8:
        if (!chance(w, 0.1)) break;
        world_enter(w);
        hub_close(w->hub, w->now, b->c[c]);
        b->c[c] = NULL;
        while (w->image_first != w->image_end) /* what it asked for may still happen */
            image_answer(w, true);
        nothing_is_known(b);
        break;
    case 9:
        if (chance(w, 0.3)) delete_jobs(b, c);
        break;
    default: listen(b, c);
    }
}

static void restart(struct bed *b)
{
    b->restarts++;
    world_kill(b->w, (unsigned)pick(b->w, 4));
    world_boot(b->w);
    memset(b->c, 0, sizeof b->c);
    nothing_is_known(b);
}

static void world_does(struct bed *b)
{
    struct world *w = b->w;
    const int before = w->n_kept_images;

    switch (pick(w, 8)) {
    case 0:
    case 1: image_answer(w, chance(w, 0.9)); break;
    case 2:
    case 3: store_answer(w, chance(w, 0.97)); break;
    case 4:
        images_prune(w, KEEP_US);
        b->pruned += before - w->n_kept_images;
        break;
    case 5:
        if (!w->dev[0].open) worker_open(w);
        event_deliver(w);
        break;
    case 6: encoder_answer(w, chance(w, 0.98) ? ERR_OK : ERR_INTERNAL); break;
    default: worker_step(w, 10000);
    }
}

/* --- rules ------------------------------------------------------------------------------------ */

/* What a job that is not over begins with is there: on disk, or with the job. */
static void check_jobs(struct bed *b)
{
    struct world *w = b->w;

    for (const struct job *j = w->hub->registry.newest; j; j = j->links.older) {
        if (job_over(j) || j->state == JOB_ADMIT) continue;
        for (int i = 0; i < j->spec.images; i++) {
            const uint8_t *digest = j->spec.image[i].digest;
            const uint32_t owner = j->owner->user.id;

            if (j->source[i])
                MUST(w, j->source[i]->len >= 20, "a private job that has lost its picture");
            else if (j->private) /* its picture may be a result that is held without a row */
                MUST(w, image_jobs(w, owner, digest, true), "a private job's picture is not held");
            else
                MUST(w, image_find(w, owner, digest), "a job whose picture was removed");
        }
    }
}

/* Private uploads are counted once, and none stays longer than its time. */
static void check_private(const struct bed *b)
{
    const struct hub *h = b->w->hub;
    size_t bytes = 0;

    for (const struct private_image *m = h->private_images; m; m = m->next) {
        bytes += m->file->len;
        MUST(b->w, h->called_us < m->until_us, "a private upload that stays");
        MUST(b->w, h->called_us + h->conf.private_s * INT64_C(1000000) >= m->until_us, "its time");
        for (const struct private_image *n = m->next; n; n = n->next)
            MUST(b->w,
                 m->owner != n->owner
                     || memcmp(m->image.digest, n->image.digest, SPEC_DIGEST_BYTES) != 0,
                 "a private upload that is there twice");
    }
    MUST(b->w, bytes == h->private_bytes, "bytes of private uploads");
    MUST(b->w, h->upload_bytes <= LIMIT_UPLOAD_MEMORY && (h->uploads || h->upload_bytes == 0),
         "bytes of uploads on their way");
}

/* What was told holds over kills, until it is told otherwise or its time is over. */
static void check_told(struct bed *b)
{
    for (int o = 0; o < OWNERS; o++)
        for (int i = 0; i < PICTURES; i++) {
            char text[SPEC_DIGEST_TEXT];
            uint8_t digest[SPEC_DIGEST_BYTES];
            const struct kept_image *k;

            if (b->asking[o][i] || b->told[o][i] == UNKNOWN) continue;
            digest_of(i, text, digest);
            k = image_find(b->w, user_of(b, o), digest);
            if (b->told[o][i] == GONE)
                MUST(b->w, !k || !k->upload, "an upload that was told to be removed");
            else if (!k || !k->upload)
                b->told[o][i] = UNKNOWN; /* pruned */
        }
}

static void run_world(uint64_t seed, long operations)
{
    struct bed *b = calloc(1, sizeof *b);
    struct world *w = world_new(seed);

    assert_non_null(b);
    b->w = w;
    w->woken = sleeper;
    w->image_bound = BOUND;
    w->conf.private_s = 2;
    for (int i = 0; i < OWNERS; i++)
        world_user(w, i ? i == 1 ? "bob" : "eve" : "ada", ROLE_USER);
    world_kill(w, 0);
    world_boot(w);
    for (w->step = 0; w->step < operations; w->step++) {
        w->now += pick(w, 20000);
        world_enter(w);
        if (hub_due(w->hub) <= w->now) hub_tick(w->hub, w->now);
        if (chance(w, 0.5))
            client_does(b, pick(w, CLIENTS));
        else
            world_does(b);
        if (chance(w, 0.001)) restart(b);
        check_jobs(b);
        check_private(b);
        check_told(b);
        w->forecast_due = true;
    }
    print_message(
        "seed %llu: %ld kept, %ld over the bound, %ld removed, %ld conflicts, %ld pruned, "
        "%ld jobs, %ld refused, %ld private, %ld restarts\n",
        (unsigned long long)seed, b->kept, b->over, b->gone, b->conflicts, b->pruned, b->accepted,
        b->refused, b->private_jobs, b->restarts);
    MUST(w,
         operations < OPERATIONS
             || (b->kept > 50 && b->over > 5 && b->gone > 10 && b->conflicts > 5 && b->pruned > 10
                 && b->accepted > 100 && b->refused > 50 && b->restarts > 3),
         "the test did next to nothing");
    for (int c = 0; c < CLIENTS; c++)
        if (b->c[c]) hub_close(w->hub, w->now, b->c[c]);
    world_free(w);
    free(b);
}

/* catches: a picture that goes while a job waits for it, a private one that stays or is counted
 * twice, an upload that was told to be removed and is there after a kill */
static void pictures_stay_as_long_as_they_should(void **state)
{
    const char *seed = getenv("DARKROOM_SEED"), *operations = getenv("DARKROOM_OPERATIONS");
    const long n = operations ? strtol(operations, NULL, 10) : OPERATIONS;

    (void)state;
    if (seed) {
        run_world(strtoull(seed, NULL, 10), n);
        return;
    }
    run_world(1, n);
    run_world(2, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_stay_as_long_as_they_should),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
