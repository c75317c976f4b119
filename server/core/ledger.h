/* ledger - the bytes promised on one device: sum of resident bytes + the largest scratch <= budget.
 *
 * That one line is the whole admission rule. A resident's scratch depends on how many share its
 * batch, so with n residents each is counted as sharing with all n. Thread: the loop's. */
#ifndef SERVER_CORE_LEDGER_H
#define SERVER_CORE_LEDGER_H

#include "server/core/effects.h"

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_MAX LIMIT_BATCH /* residents; more could not share a quantum */

struct ledger {
    uint64_t budget; /* bytes of the device after its weights */
    int n;
    struct {
        uint64_t job;
        uint64_t run, scratch, more;
    } held[LEDGER_MAX];
};

void ledger_init(struct ledger *, uint64_t budget);
/* Bytes in use at the worst moment, with one more picture (NULL: as it stands). Saturates. */
uint64_t ledger_need(const struct ledger *, const struct job_plan *more);
/* The shared scratch in that sum. */
uint64_t ledger_scratch(const struct ledger *, const struct job_plan *more);
bool ledger_fits(const struct ledger *, const struct job_plan *more);
/* Would it fit on an empty device? */
bool ledger_ever_fits(const struct ledger *, const struct job_plan *);
/* How many pictures like this fit together: 0 .. LEDGER_MAX. */
int ledger_count(const struct ledger *, const struct job_plan *);

void ledger_hold(struct ledger *, uint64_t job, const struct job_plan *); /* must fit */
void ledger_release(struct ledger *, uint64_t job);                       /* must be held */

#endif
