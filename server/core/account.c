/* account - the users as the hub knows them. */
#include "server/core/account.h"

#include "server/base/blob.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int accounts_init(struct accounts *as)
{
    *as = (struct accounts){.at = NULL};
    if (!accounts_owner(as, USER_NONE)) return ERR_OUT_OF_MEMORY;
    return accounts_set(as, NULL, 0);
}

void accounts_free(struct accounts *as)
{
    for (int i = 0; i < as->n; i++) {
        blob_unref(as->at[i]->stats);
        notices_free(&as->at[i]->notices);
        free(as->at[i]);
    }
    free(as->at);
    *as = (struct accounts){.at = NULL};
}

/* How many accounts have a smaller id: where it stands, or would. */
static int rank(const struct accounts *as, uint32_t id)
{
    int low = 0, high = as->n;

    while (low < high) {
        int mid = low + (high - low) / 2;

        if (as->at[mid]->user.id < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct account *at_id(const struct accounts *as, uint32_t id)
{
    int i = rank(as, id);

    return i < as->n && as->at[i]->user.id == id ? as->at[i] : NULL;
}

struct account *accounts_find(const struct accounts *as, uint32_t id)
{
    struct account *a = at_id(as, id);

    return a && !a->gone ? a : NULL;
}

struct account *accounts_named(const struct accounts *as, const char *name)
{
    for (int i = 1; i < as->n; i++)
        if (!as->at[i]->gone && strcmp(as->at[i]->user.name, name) == 0) return as->at[i];
    return NULL;
}

static bool reserve(struct accounts *as)
{
    int room = as->room ? 2 * as->room : 8;
    struct account **at;

    if (as->n < as->room) return true;
    at = realloc(as->at, (size_t)room * sizeof *at);
    if (!at) return false;
    as->at = at;
    as->room = room;
    return true;
}

struct account *accounts_owner(struct accounts *as, uint32_t id)
{
    struct account *a = at_id(as, id);
    int i = rank(as, id);

    if (a || !reserve(as)) return a;
    a = calloc(1, sizeof *a);
    if (!a) return NULL;
    user_defaults(&a->user);
    a->user.id = id;
    a->user.role = ROLE_VIEWER;
    a->gone = true;
    a->slot = as->n;
    memmove(as->at + i + 1, as->at + i, (size_t)(as->n - i) * sizeof *as->at);
    as->at[i] = a;
    as->n++;
    return a;
}

/* Had it a name before? Owners of stored jobs, and users that are new, have none yet. */
static bool known(const struct account *a)
{
    return a->user.name[0] != '\0';
}

static bool differs(const struct user *a, const struct user *b)
{
    return a->role != b->role || a->lanes != b->lanes || a->weight < b->weight
           || a->weight > b->weight || a->waiting != b->waiting || a->running != b->running
           || a->disk_bytes != b->disk_bytes;
}

int accounts_set(struct accounts *as, const struct user *users, int n)
{
    for (int i = 0; i < n; i++)
        if (!accounts_owner(as, users[i].id)) return ERR_OUT_OF_MEMORY;
    for (int i = 0; i < as->n; i++)
        as->at[i]->gone = true;
    for (int i = 0; i < n; i++) {
        struct account *a = at_id(as, users[i].id);

        assert(users[i].id != USER_NONE);
        a->changed = known(a) && differs(&a->user, &users[i]);
        a->user = users[i];
        a->gone = false;
    }
    as->users = n;
    if (n == 0) user_everybody(&as->at[0]->user);
    as->at[0]->gone = n > 0;
    return 0;
}

bool account_sees(const struct account *a, const struct account *owner)
{
    return !a->gone && (a == owner || a->user.role == ROLE_ADMIN);
}

int account_may_draw(const struct account *a, enum user_lane lane, struct fail *f)
{
    char lanes[32];

    if (a->gone || a->user.role < ROLE_USER) {
        fail_set(f, ERR_FORBIDDEN, "You may look, but not draw");
        return fail_advise(f, "Ask the administrator of this server for the role `user`.");
    }
    if (a->user.lanes & 1U << lane) return 0;
    fail_field(f, ERR_FORBIDDEN, "lane", "You may not use the lane %s", USER_LANES[lane]);
    return fail_advise(f, "Use %s.", user_lanes_text(a->user.lanes, lanes, sizeof lanes));
}
