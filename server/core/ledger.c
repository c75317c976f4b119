/* ledger - the bytes promised on one device. */
#include "server/core/ledger.h"

#include <assert.h>
#include <string.h>

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t times(uint64_t a, int n)
{
    return n > 0 && a > UINT64_MAX / (uint64_t)n ? UINT64_MAX : a * (uint64_t)n;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void ledger_init(struct ledger *l, uint64_t budget)
{
    memset(l, 0, sizeof *l);
    l->budget = budget;
}

uint64_t ledger_scratch(const struct ledger *l, const struct job_plan *more)
{
    int others = l->n + (more != NULL) - 1;
    uint64_t most = 0;

    for (int i = 0; i < l->n; i++)
        most = larger(most, add(l->held[i].scratch, times(l->held[i].more, others)));
    if (more) most = larger(most, add(more->cost.scratch_bytes, times(more->scratch_more, others)));
    return most;
}

uint64_t ledger_need(const struct ledger *l, const struct job_plan *more)
{
    uint64_t sum = ledger_scratch(l, more);

    for (int i = 0; i < l->n; i++)
        sum = add(sum, l->held[i].run);
    return more ? add(sum, more->cost.run_bytes) : sum;
}

bool ledger_fits(const struct ledger *l, const struct job_plan *more)
{
    return l->n + (more != NULL) <= LEDGER_MAX && ledger_need(l, more) <= l->budget;
}

bool ledger_ever_fits(const struct ledger *l, const struct job_plan *p)
{
    return add(p->cost.run_bytes, p->cost.scratch_bytes) <= l->budget;
}

int ledger_count(const struct ledger *l, const struct job_plan *p)
{
    int n = 0;

    while (n < LEDGER_MAX
           && add(times(p->cost.run_bytes, n + 1),
                  add(p->cost.scratch_bytes, times(p->scratch_more, n)))
                  <= l->budget)
        n++;
    return n;
}

void ledger_hold(struct ledger *l, uint64_t job, const struct job_plan *p)
{
    assert(ledger_fits(l, p));
    l->held[l->n].job = job;
    l->held[l->n].run = p->cost.run_bytes;
    l->held[l->n].scratch = p->cost.scratch_bytes;
    l->held[l->n].more = p->scratch_more;
    l->n++;
}

void ledger_release(struct ledger *l, uint64_t job)
{
    assert(l->n > 0);
    for (int i = 0; i < l->n; i++) {
        if (l->held[i].job != job) continue;
        l->held[i] = l->held[--l->n];
        return;
    }
    assert(!"a job that is not held");
}
