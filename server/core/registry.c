/* registry - every job that the hub remembers. */
#include "server/core/registry.h"

#include <assert.h>
#include <string.h>

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdULL;
    x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

static size_t id_bucket(const struct registry *r, uint64_t id)
{
    return (size_t)mix(id ^ r->salt) & (REGISTRY_BUCKETS - 1);
}

static size_t key_bucket(const struct registry *r, const struct account *owner, const char *key)
{
    uint64_t h = r->salt ^ owner->user.id;

    for (; *key; key++)
        h = mix(h ^ (uint8_t)*key);
    return (size_t)h & (REGISTRY_BUCKETS - 1);
}

static size_t picture_bucket(const struct registry *r, const uint8_t *picture)
{
    uint64_t h;

    memcpy(&h, picture, sizeof h);
    return (size_t)mix(h ^ r->salt) & (REGISTRY_BUCKETS - 1);
}

static bool has_picture(const struct job *j)
{
    return j->state == JOB_DONE && j->end.model != 0;
}

void registry_init(struct registry *r, uint64_t salt, int kept)
{
    memset(r, 0, sizeof *r);
    r->salt = salt;
    r->kept = kept;
}

void registry_free(struct registry *r)
{
    while (r->newest) {
        struct job *j = r->newest;

        r->newest = j->links.older;
        job_free(j);
    }
    registry_init(r, r->salt, r->kept);
}

static void chain_id(struct registry *r, struct job *j)
{
    struct job **id = &r->by_id[id_bucket(r, j->id)];

    j->links.next_id = *id;
    *id = j;
    r->n++;
}

void registry_insert(struct registry *r, struct job *j)
{
    struct job *newer = r->oldest, **key = &r->by_key[key_bucket(r, j->owner, j->key)];

    while (newer && newer->order < j->order)
        newer = newer->links.newer;
    assert(!newer || newer->order != j->order);
    j->links.newer = newer;
    j->links.older = newer ? newer->links.older : r->newest;
    *(j->links.newer ? &j->links.newer->links.older : &r->newest) = j;
    *(j->links.older ? &j->links.older->links.newer : &r->oldest) = j;
    chain_id(r, j);
    while (j->key[0] && *key)
        key = &(*key)->links.next_key;
    j->links.next_key = NULL;
    if (j->key[0]) *key = j;
}

void registry_add(struct registry *r, struct job *j)
{
    assert(!r->newest || r->newest->order < j->order);
    chain_id(r, j);
    if (j->key[0]) {
        struct job **key = &r->by_key[key_bucket(r, j->owner, j->key)];

        j->links.next_key = *key;
        *key = j;
    }
    j->links.older = r->newest;
    if (r->newest) r->newest->links.newer = j;
    if (!r->oldest) r->oldest = j;
    r->newest = j;
}

static void unchain(struct registry *r, struct job *j)
{
    struct job **at = &r->by_id[id_bucket(r, j->id)];

    while (*at != j)
        at = &(*at)->links.next_id;
    *at = j->links.next_id;
    if (has_picture(j)) {
        at = &r->by_picture[picture_bucket(r, j->end.picture)];
        while (*at != j)
            at = &(*at)->links.next_picture;
        *at = j->links.next_picture;
    }
    if (!j->key[0]) return;
    at = &r->by_key[key_bucket(r, j->owner, j->key)];
    while (*at != j)
        at = &(*at)->links.next_key;
    *at = j->links.next_key;
}

void registry_drop(struct registry *r, struct job *j)
{
    assert(r->n > 0);
    unchain(r, j);
    *(j->links.newer ? &j->links.newer->links.older : &r->newest) = j->links.older;
    *(j->links.older ? &j->links.older->links.newer : &r->oldest) = j->links.newer;
    r->n--;
    r->lost_shared |= j->guests.until_ms != 0;
    job_free(j);
}

/* Take the job at *at out of those that are over; before: the one in front of it. */
static void drop_over(struct registry *r, struct job **at, struct job *before)
{
    struct job *j = *at;

    *at = j->links.next_over;
    if (r->over_last == j) r->over_last = before;
    r->n_over--;
    registry_drop(r, j);
}

void registry_forget(struct registry *r, struct job *j)
{
    struct job **at = &r->over_first, *before = NULL;

    assert(job_over(j) && !j->subscriptions && !j->run.device);
    for (; *at != j; at = &(*at)->links.next_over)
        before = *at;
    drop_over(r, at, before);
}

/* Something needs it. One with a change on its way to the disk, brought back from there before it
 * has arrived, would be without it. */
static bool is_needed(const struct job *j)
{
    return j->subscriptions || j->run.device || j->unnoted || j->guests.storing > 0;
}

/* Drop the job that ended first among those that nothing needs. */
static bool drop_one(struct registry *r)
{
    struct job **at = &r->over_first, *before = NULL;

    for (; *at; before = *at, at = &(*at)->links.next_over) {
        if (is_needed(*at)) continue;
        drop_over(r, at, before);
        return true;
    }
    return false;
}

void registry_over(struct registry *r, struct job *j)
{
    assert(job_over(j));
    j->links.next_over = NULL;
    *(r->over_last ? &r->over_last->links.next_over : &r->over_first) = j;
    r->over_last = j;
    r->n_over++;
    if (has_picture(j)) {
        struct job **head = &r->by_picture[picture_bucket(r, j->end.picture)];

        j->links.next_picture = *head;
        *head = j;
    }
    while (r->n_over > r->kept && drop_one(r))
        ;
}

struct job *registry_find(const struct registry *r, uint64_t id)
{
    struct job *j = r->by_id[id_bucket(r, id)];

    while (j && j->id != id)
        j = j->links.next_id;
    return j;
}

struct job *registry_find_picture(const struct registry *r, const struct account *owner,
                                  const uint8_t picture[SPEC_DIGEST_BYTES], uint64_t model)
{
    struct job *j = r->by_picture[picture_bucket(r, picture)];

    while (j
           && (j->owner != owner || j->end.model != model
               || memcmp(j->end.picture, picture, sizeof j->end.picture) != 0))
        j = j->links.next_picture;
    return j;
}

struct job *registry_find_key(const struct registry *r, const struct account *owner,
                              const char *key)
{
    struct job *j = key[0] ? r->by_key[key_bucket(r, owner, key)] : NULL;

    while (j && (j->owner != owner || strcmp(j->key, key) != 0))
        j = j->links.next_key;
    return j;
}
