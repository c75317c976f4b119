/* ledger - the bytes promised on one device: sum of resident bytes + the largest scratch <= budget.
 *
 * That one line is the whole admission rule: it decides what is started. A resident's scratch
 * depends on how many share its batch, so with n residents each is counted as sharing with all n.
 * The engine plans with glm_admission() (kernels/glm.h), the same rule for pictures of one kind;
 * test_ledger holds the two to the same numbers. Thread: the loop's. */
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
/* Bytes in use at the worst moment, with one more picture (NULL: as it stands). A sum that
 * overflows is UINT64_MAX. */
uint64_t ledger_need(const struct ledger *, const struct job_plan *more);
/* The shared scratch in that sum. */
uint64_t ledger_scratch(const struct ledger *, const struct job_plan *more);
bool ledger_fits(const struct ledger *, const struct job_plan *more);
/* Whether it would fit on an empty device. */
bool ledger_ever_fits(const struct ledger *, const struct job_plan *);
/* How many pictures like this fit together on an empty device: 0 .. LEDGER_MAX. Of the ledger only
 * the budget counts. */
int ledger_count(const struct ledger *, const struct job_plan *);

/* Count a resident in; its plan must fit. */
void ledger_hold(struct ledger *, uint64_t job, const struct job_plan *);
/* Count it out; it must be held. */
void ledger_release(struct ledger *, uint64_t job);

#endif
