/* composition - jobs that begin with the tokens of an earlier one. */
#include "server/core/composition.h"

#include "server/core/lifecycle.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* Whether the job has tokens that can be taken. */
static int check_source(const struct job *j, struct fail *f)
{
    if (j->sweep) {
        fail_field(f, ERR_CONFLICT, "prior_from", "The job is a sweep, which has no composition");
        return fail_advise(f, "Name one of its cells.");
    }
    if (!job_over(j)) {
        fail_field(f, ERR_CONFLICT, "prior_from", "The job is not done yet");
        return fail_advise(f, "Wait for its end.");
    }
    if (j->end.outcome == JOB_DONE && j->end.kept) return 0;
    fail_field(f, ERR_CONFLICT, "prior_from",
               j->end.outcome == JOB_DONE ? "The composition of the job was not kept"
                                          : "The job has no picture");
    return fail_advise(f, "Submit its prompt and size with its seed: that draws the same "
                          "composition.");
}

static int other(const char *field, struct fail *f)
{
    fail_field(f, ERR_CONFLICT, field, "The composition was drawn for another %s", field);
    return fail_advise(f, "Send the %s that the job's `accepted` has, or leave prior_from out.",
                       field);
}

static int check_match(const struct spec *from, const struct spec *s, struct fail *f)
{
    if (strcmp(from->prompt, s->prompt) != 0) return other("prompt", f);
    if (from->width != s->width) return other("width", f);
    if (from->height != s->height) return other("height", f);
    if (!spec_same_images(from, s)) return other("images", f);
    if (s->seed == SPEC_SEED_PICK || s->seed == from->seed) return 0;
    fail_field(f, ERR_BAD_FIELD, "seed", "The composition was drawn by seed %" PRId64, from->seed);
    return fail_advise(f, "Leave seed out; noise_seed draws the noise.");
}

int composition_check(const struct hub *h, const struct account *a, struct command *c,
                      struct fail *f)
{
    const struct job *j;
    int n = c->sweep.cells ? c->sweep.cells : 1, err;
    struct spec spec = c->spec;

    if (!c->spec.prior_from) return 0;
    j = registry_find(&h->registry, c->spec.prior_from);
    if (!j || j->state == JOB_ADMIT || j->owner != a) {
        fail_field(f, ERR_NOT_FOUND, "prior_from", "There is no such job");
        return fail_advise(f, "Only the newest jobs are remembered; `list` says which.");
    }
    err = check_source(j, f);
    for (int i = 0; i < n && !err; i++) {
        if (c->sweep.cells) sweep_cell(&c->sweep, &c->spec, i, &spec, NULL);
        err = check_match(&j->spec, &spec, f);
    }
    if (!err) c->spec.seed = j->spec.seed;
    return err;
}

void composition_lost(struct hub *h, int64_t now, struct job *j)
{
    assert(j->state == JOB_RUNNING && j->spec.prior_from && !j->run.whole && !j->run.device);
    j->run.whole = true;
    j->planned = false;
    h->planning = true;
    lifecycle_requeue(h, now, j);
}
