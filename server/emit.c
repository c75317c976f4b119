/* emit - what the hub emits becomes a call of another part. */
#include "server/intake.h"
#include "server/service_priv.h"

#include "proto/id.h"
#include "server/base/waker.h"
#include "server/store/images.h"
#include "server/worker/request.h"

#include <sodium.h>
#include <string.h>
#include <unistd.h>

static void out_accept(void *arg, const struct hub_row *rows, int n)
{
    store_accept(((struct service *)arg)->store, rows, n);
}

static void out_end(void *arg, const struct hub_row *row, struct blob *file)
{
    struct service *s = arg;
    char id[ID_TEXT];
    bool told = row->error && !row->private;

    id_format(row->job, id);
    if (row->again) /* once a second while the disk is full */
        log_debug(s->log, "job %s: its end goes to the disk again", id);
    else if (row->state == STATE_DONE)
        log_info(s->log, "job %s: %dx%d in %.2f s", id, row->spec->width, row->spec->height,
                 (double)row->result_us / 1e6);
    else
        log_info(s->log, "job %s: %s%s%s", id, event_state_name(row->state), told ? ": " : "",
                 told ? row->error->message : "");
    store_end(s->store, row, file);
}

static void out_start(void *arg, int d, const struct hub_work *work)
{
    struct service *s = arg;
    struct hub_work w = *work;

    if (w.spec->prior_from) w.tokens = store_tokens(s->store, w.job);
    worker_start(s->worker[d], &w);
    blob_unref(w.tokens);
}

static void out_finish(void *arg, int d, uint64_t job, int steps)
{
    worker_finish(((struct service *)arg)->worker[d], job, steps);
}

static void out_store_finish(void *arg, const struct hub_row *row)
{
    store_finish(((struct service *)arg)->store, row);
}

static void out_drop(void *arg, int d, uint64_t job)
{
    worker_drop(((struct service *)arg)->worker[d], job);
}

static void out_suspend(void *arg, int d, uint64_t job)
{
    worker_suspend(((struct service *)arg)->worker[d], job);
}

static void out_place(void *arg, const struct hub_row *row)
{
    store_place(((struct service *)arg)->store, row);
}

static void out_share(void *arg, const struct hub_share *share)
{
    store_share(((struct service *)arg)->store, share);
}

static void out_delete(void *arg, const struct hub_deletion *deletion)
{
    store_delete(((struct service *)arg)->store, deletion);
}

static void out_search(void *arg, const struct hub_search *search)
{
    store_search(((struct service *)arg)->store, search);
}

static bool out_recall(void *arg, uint64_t job,
                       int (*each)(void *arg, const struct hub_row *, struct fail *f),
                       void *each_arg)
{
    return store_recall(((struct service *)arg)->store, job, each, each_arg);
}

static int out_webhook(void *arg, const char *url, struct fail *f)
{
    return webhooks_check(((struct service *)arg)->webhooks, url, f);
}

static bool out_has_picture(void *arg, uint32_t owner, const char *digest)
{
    const struct store_asker who = {.user = owner};
    struct store_file file;
    struct fail f;

    if (store_find(((struct service *)arg)->store, &who, digest, &file, &f) != 0) return false;
    close(file.fd);
    return true;
}

static void out_checkpoint(void *arg, uint64_t job, struct blob *checkpoint)
{
    store_checkpoint(((struct service *)arg)->store, job, checkpoint);
}

static void out_demand(void *arg, int d, uint64_t job, const struct preview_demand *demand)
{
    worker_demand(((struct service *)arg)->worker[d], job, demand);
}

static int out_busy(void *arg, int d, uint64_t *jobs, int max)
{
    return worker_busy(((struct service *)arg)->worker[d], jobs, max);
}

static int out_plan(void *arg, const struct spec *spec, struct job_plan *out, struct fail *f)
{
    const struct glm *glm = live_engine(arg);
    struct glm_image images[LIMIT_IMAGES];
    struct glm_req req;
    uint64_t two;
    int err;

    if (!glm) return fail_set(f, ERR_INTERNAL, "The model is not open.");
    request_of(spec, images, &req);
    err = glm_plan(glm, &req, &out->cost, f);
    if (!err) err = glm_plan_batch(glm, &req, 2, &two, f);
    if (!err) out->scratch_more = two > out->cost.scratch_bytes ? two - out->cost.scratch_bytes : 0;
    return err;
}

static int out_source(void *arg, uint32_t owner, struct spec_image *image, struct fail *f)
{
    struct service *s = arg;
    const struct glm *glm = live_engine(s);
    int err = images_find(store_images(s->store), owner, image, f);

    if (!err && glm)
        glm_image_size(glm, image->width, image->height, &image->used_width, &image->used_height);
    return err;
}

static int out_words(void *arg, const char *prompt, struct glm_words *out, struct fail *f)
{
    const struct glm *glm = live_engine(arg);

    if (!glm) return fail_set(f, ERR_INTERNAL, "The model is not open.");
    return glm_words(glm, prompt, strlen(prompt), out, f);
}

static void out_take_image(void *arg, const struct hub_file *file)
{
    intake_begin(arg, file);
}

static void out_list_images(void *arg, uint32_t owner, struct text *out)
{
    images_list(store_images(((struct service *)arg)->store), owner, out);
}

static void out_discard_image(void *arg, uint64_t ticket, uint32_t owner,
                              const uint8_t digest[SPEC_DIGEST_BYTES], bool forgotten)
{
    store_discard_image(((struct service *)arg)->store, ticket, owner, digest, forgotten);
}

static void out_rates(void *arg, const struct eta_known *known)
{
    worker_rates(((struct service *)arg)->worker[0], known);
}

/* What a later SIGHUP compares with, and hello says. */
static void out_tuned(void *arg, const struct hub_tuning *t)
{
    struct service *s = arg;
    struct options *c = s->conf->options;

    log_info(s->log, "options: an administrator set concurrency %d, queue %d, job-seconds %d",
             t->concurrency, t->queue_max, t->job_seconds);
    c->concurrency = t->concurrency;
    c->queue = t->queue_max;
    c->job_seconds = t->job_seconds;
    hello_changed(&s->hello);
}

_Static_assert(LIMIT_LOG_TEXT == LOG_KEPT_BYTES && LIMIT_LIST <= LOG_KEPT, "lines fit");

static int out_log(void *arg, uint64_t after, struct answer_line *out, int max)
{
    struct log_kept kept[LIMIT_LIST];
    int n = log_tail(((struct service *)arg)->log, after, kept, max);

    for (int i = 0; i < n; i++) {
        out[i].seq = kept[i].seq;
        out[i].time_ms = kept[i].unix_ms;
        out[i].level = log_level_name(kept[i].level);
        memcpy(out[i].text, kept[i].text, sizeof out[i].text);
    }
    return n;
}

static uint64_t out_random(void *arg)
{
    uint64_t bits;

    (void)arg;
    randombytes_buf(&bits, sizeof bits);
    return bits;
}

_Static_assert(SHARE_TEXT == TOKEN_SHARED_TEXT && SHARE_HASH_BYTES == TOKEN_HASH_BYTES,
               "the core has no store to take these from");

static void out_secret(void *arg, char text[SHARE_TEXT], uint8_t hash[SHARE_HASH_BYTES])
{
    (void)arg;
    token_make_shared(text);
    token_hash(text, TOKEN_SHARED_LENGTH, hash);
}

struct hub_out emit_effects(struct service *s)
{
    return (struct hub_out){.arg = s,
                            .store_accept = out_accept,
                            .store_end = out_end,
                            .store_place = out_place,
                            .store_share = out_share,
                            .store_finish = out_store_finish,
                            .store_delete = out_delete,
                            .search = out_search,
                            .recall = out_recall,
                            .webhook = out_webhook,
                            .has_picture = out_has_picture,
                            .source = out_source,
                            .take_image = out_take_image,
                            .list_images = out_list_images,
                            .discard_image = out_discard_image,
                            .store_checkpoint = out_checkpoint,
                            .start = out_start,
                            .drop = out_drop,
                            .suspend = out_suspend,
                            .finish = out_finish,
                            .demand = out_demand,
                            .busy = out_busy,
                            .plan = out_plan,
                            .words = out_words,
                            .wake = waker_wake,
                            .random = out_random,
                            .secret = out_secret,
                            .tuned = out_tuned,
                            .log = out_log,
                            .rates = out_rates};
}
