/* job - the table of what a job may do next. */
#include "server/core/job.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Short names for the table. */
enum {
    NO = -1,
    QUEUED = JOB_QUEUED,
    RUNNING = JOB_RUNNING,
    SAVING = JOB_SAVING,
    ENDING = JOB_ENDING,
    DONE = JOB_DONE,
    FAILED = JOB_FAILED,
    CANCELLED = JOB_CANCELLED
};

/* clang-format off */
static const int TABLE[JOB_STATES][JOB_MOVES] = {
    /*                 STORED  START    REQUEUE FINISHED END     DONE  FAILED  CANCELLED */
    [JOB_ADMIT]     = {QUEUED, NO,      NO,     NO,      NO,     NO,   NO,     NO},
    [JOB_QUEUED]    = {NO,     RUNNING, NO,     SAVING,  ENDING, NO,   NO,     NO},
    [JOB_RUNNING]   = {NO,     NO,      QUEUED, SAVING,  ENDING, NO,   NO,     NO},
    [JOB_SAVING]    = {NO,     NO,      QUEUED, NO,      ENDING, NO,   NO,     NO},
    [JOB_ENDING]    = {NO,     NO,      NO,     NO,      NO,     DONE, FAILED, CANCELLED},
    [JOB_DONE]      = {NO,     NO,      NO,     NO,      NO,     NO,   NO,     NO},
    [JOB_FAILED]    = {NO,     NO,      NO,     NO,      NO,     NO,   NO,     NO},
    [JOB_CANCELLED] = {NO,     NO,      NO,     NO,      NO,     NO,   NO,     NO},
};

static const struct {
    const char *name;
    int public; /* enum event_state */
} STATE[JOB_STATES] = {
    [JOB_ADMIT]     = {"admit", NO},
    [JOB_QUEUED]    = {"queued", STATE_QUEUED},
    [JOB_RUNNING]   = {"running", STATE_RUNNING},
    [JOB_SAVING]    = {"saving", STATE_RUNNING},
    [JOB_ENDING]    = {"ending", NO}, /* as it was before */
    [JOB_DONE]      = {"done", STATE_DONE},
    [JOB_FAILED]    = {"failed", STATE_FAILED},
    [JOB_CANCELLED] = {"cancelled", STATE_CANCELLED},
};
/* clang-format on */

int job_next(enum job_state state, enum job_move move)
{
    assert(state < JOB_STATES && move < JOB_MOVES);
    return TABLE[state][move];
}

int job_move(struct job *j, enum job_move move)
{
    int to = TABLE[j->state][move];

    assert(move < JOB_MOVES);
    if (to == NO) return ERR_CONFLICT;
    if (to == JOB_ENDING) j->before = j->state;
    j->state = (enum job_state)to;
    return 0;
}

bool job_over(const struct job *j)
{
    return j->state >= JOB_DONE;
}

enum event_state job_public(const struct job *j)
{
    enum job_state seen = j->state == JOB_ENDING ? j->before : j->state;

    assert(STATE[seen].public != NO);
    return (enum event_state)STATE[seen].public;
}

enum event_state job_outcome(const struct job *j)
{
    assert(j->state >= JOB_ENDING && j->end.outcome >= JOB_DONE);
    return (enum event_state)STATE[j->end.outcome].public;
}

const char *job_state_name(enum job_state state)
{
    assert(state < JOB_STATES);
    return STATE[state].name;
}

struct spec job_drawn(const struct job *j)
{
    struct spec s = j->spec;

    if (j->run.whole) s.prior_from = 0;
    return s;
}

struct job *job_new(uint64_t id, struct account *owner, struct spec *spec, uint64_t seq)
{
    struct job *j = calloc(1, sizeof *j);

    if (!j) return NULL;
    j->id = id;
    j->owner = owner;
    j->state = JOB_ADMIT;
    j->spec = *spec;
    memset(spec, 0, sizeof *spec);
    j->forecast.start_us = j->forecast.end_us = -1;
    board_init(&j->board, id, seq);
    return j;
}

void job_identify(struct job *j, uint64_t model)
{
    assert(!j->sweep && !job_over(j));
    j->end.model = model && j->end.steps == 0 && spec_picture_digest(&j->spec, j->end.picture) == 0
                       ? model
                       : 0;
}

struct event_sweep job_sweep(const struct job *j, uint64_t cells[LIMIT_CELLS])
{
    struct event_sweep e = {.place = &j->place};

    if (!j->sweep) return e;
    for (int i = 0; i < j->sweep->n; i++)
        cells[i] = j->sweep->cell[i].kept.job;
    e.axes = j->sweep->axes;
    e.cells = cells;
    e.n_cells = j->sweep->n;
    return e;
}

struct event_result job_result(const struct job *j, char url[URL_TEXT])
{
    url_picture(j->end.digest, url);
    return (struct event_result){.url = url,
                                 .digest = j->end.digest,
                                 .width = j->spec.width,
                                 .height = j->spec.height,
                                 .seed = j->spec.seed,
                                 .seconds = (double)j->run.spent_us / 1e6,
                                 .bytes = j->end.bytes,
                                 .steps_done = j->end.steps};
}

static void free_sweep(struct job_sweep *s)
{
    if (!s) return;
    free(s->axes);
    free(s->kept);
    free(s);
}

void job_free(struct job *j)
{
    if (!j) return;
    assert(!j->subscriptions && !j->waiters);
    board_free(&j->board);
    blob_unref(j->end.file);
    blob_unref(j->end.tokens);
    blob_unref(j->run.checkpoint);
    for (int i = 0; i < LIMIT_IMAGES; i++)
        blob_unref(j->source[i]);
    free_sweep(j->sweep);
    spec_free(&j->spec);
    free(j);
}
