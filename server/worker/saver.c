/* saver - a checkpoint is a blob that the worker, the loop and the store hold; when the worker's
 * reference is the last one, it has been written. */
#include "server/worker/saver.h"

#include "proto/id.h"
#include "server/base/clock.h"

#include <stdlib.h>

enum { SHARE = 100 };          /* saves may take one part in so many of the device's time */
static const double PART = 20; /* of a run, between two checkpoints: one part in so many */

static int load(struct saver *s, struct glm *glm, const struct glm_req *req, uint64_t job,
                struct blob *from, struct glm_run **out, struct fail *f)
{
    const int err = glm_run_load(out, glm, req, from->data, from->len, f);
    char id[ID_TEXT];

    id_format(job, id);
    if (!err)
        log_info(s->log, "job %s goes on at %.0f %%", id, 100 * glm_run_progress(*out).overall);
    if (err == ERR_CONFLICT) log_info(s->log, "job %s begins again: %s", id, f->message);
    return err;
}

static void tell_whole(const struct saver *s, uint64_t job, const struct fail *why)
{
    char id[ID_TEXT];

    id_format(job, id);
    log_info(s->log, "job %s draws a composition of its own: %s", id, why->message);
}

int saver_begin(struct saver *s, struct glm *glm, const struct glm_req *req,
                const struct resident *r, struct blob *checkpoint, struct glm_run **out,
                bool *resumed, struct fail *f)
{
    struct blob *from = checkpoint ? blob_ref(checkpoint) : NULL;
    int err = ERR_CONFLICT;

    if (!from && r->keep && s->recall) from = s->recall(s->arg, r->job);
    if (from) err = load(s, glm, req, r->job, from, out, f);
    blob_unref(from);
    *resumed = !err;
    if (err == ERR_CONFLICT) err = glm_run_new(out, glm, req, f);
    if (err == ERR_CONFLICT) tell_whole(s, r->job, f);
    return err;
}

int saver_save(struct saver *s, const struct resident *r, struct blob **out, struct fail *f)
{
    const size_t len = glm_run_save_bytes(r->run);
    const int64_t before = clock_us();
    char *memory;
    int err;

    *out = NULL;
    if (!len) return 0;
    memory = malloc(BLOB_HEAD + len);
    if (!memory) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for a checkpoint.");
    err = glm_run_save(r->run, memory + BLOB_HEAD, f);
    s->last_us = clock_us() - before;
    s->save_us += s->last_us;
    if (err) {
        free(memory);
        return err;
    }
    *out = blob_adopt(memory, len);
    return *out ? 0 : fail_set(f, ERR_OUT_OF_MEMORY, "No memory for a checkpoint.");
}

static bool due(const struct saver *s, const struct resident *r, double overall, int64_t now)
{
    return r->keep && !r->saved && now - r->saved_us >= SAVER_US
           && overall - r->saved_overall >= 1 / PART && s->save_us <= s->busy_us / SHARE;
}

int saver_look(struct saver *s, struct resident *r, struct blob **out, struct fail *f)
{
    const double overall = glm_run_progress(r->run).overall;
    const int64_t now = clock_us();
    int err;

    *out = NULL;
    if (r->saved && blob_alone(r->saved)) {
        blob_unref(r->saved);
        r->saved = NULL;
    }
    if (!due(s, r, overall, now)) return 0;
    r->saved_us = now;
    r->saved_overall = overall;
    err = saver_save(s, r, out, f);
    if (*out) r->saved = blob_ref(*out);
    return err == ERR_DEVICE ? err : 0; /* without memory: the next one in time */
}
