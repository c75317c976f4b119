/* answers - one message is made into what it answers, and handed to the loop. */
#include "server/store/answers.h"

#include "server/events.h"
#include "server/store/entry.h"

enum { RETRY_MS = 5000 };

union answer {
    struct msg m;
    struct loop_stored stored;
    struct loop_shared shared;
    struct loop_deleted deleted;
    struct image_discard discard;
    struct loop_found found;
};

void answers_open(struct answers *a, struct mbox *loop)
{
    a->loop = loop;
    a->reserve.bytes = sizeof(union answer);
    reserve_fill(&a->reserve);
}

void answers_close(struct answers *a)
{
    reserve_free(&a->reserve);
}

void answers_stored(struct answers *a, uint64_t job)
{
    union answer *m = reserve_take(&a->reserve);

    entry_stored(&m->stored, job, 0, NULL);
    mbox_push(a->loop, &m->m);
}

static void refuse(struct answers *a, union answer *m, struct fail *why)
{
    why->retry_after_ms = RETRY_MS;
    mbox_push(a->loop, &m->m);
}

void answers_refuse(struct answers *a, uint64_t job)
{
    union answer *m = reserve_take(&a->reserve);

    entry_stored(&m->stored, job, 0, NULL);
    fail_set(&m->stored.why, ERR_OUT_OF_MEMORY, "No memory to store the job.");
    refuse(a, m, &m->stored.why);
}

void answers_refuse_share(struct answers *a, const struct hub_share *share)
{
    union answer *m = reserve_take(&a->reserve);

    entry_shared(&m->shared, share, NULL);
    fail_set(&m->shared.why, ERR_OUT_OF_MEMORY, "No memory to store whom the job is shared with.");
    refuse(a, m, &m->shared.why);
}

void answers_deleted(struct answers *a, const struct hub_deletion *deletion)
{
    union answer *m = reserve_take(&a->reserve);

    entry_deleted(&m->deleted, deletion, NULL);
    mbox_push(a->loop, &m->m);
}

void answers_refuse_deletion(struct answers *a, const struct hub_deletion *deletion)
{
    union answer *m = reserve_take(&a->reserve);

    entry_deleted(&m->deleted, deletion, NULL);
    fail_set(&m->deleted.why, ERR_OUT_OF_MEMORY, "No memory to delete the job.");
    refuse(a, m, &m->deleted.why);
}

void answers_refuse_discard(struct answers *a, uint64_t ticket)
{
    union answer *m = reserve_take(&a->reserve);

    m->discard.m.kind = LOOP_DISCARDED;
    m->discard.ticket = ticket;
    fail_set(&m->discard.why, ERR_OUT_OF_MEMORY, "No memory to remove the picture.");
    refuse(a, m, &m->discard.why);
}

void answers_refuse_search(struct answers *a, uint64_t ticket)
{
    union answer *m = reserve_take(&a->reserve);

    m->found.m.kind = LOOP_FOUND;
    m->found.ticket = ticket;
    fail_set(&m->found.why, ERR_OUT_OF_MEMORY, "No memory to list results.");
    refuse(a, m, &m->found.why);
}
