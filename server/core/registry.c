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

static size_t id_bucket(const struct registry *s, uint64_t id)
{
    return (size_t)mix(id ^ s->salt) & (REGISTRY_BUCKETS - 1);
}

static size_t key_bucket(const struct registry *s, const char *key)
{
    uint64_t h = s->salt;

    for (; *key; key++)
        h = mix(h ^ (uint8_t)*key);
    return (size_t)h & (REGISTRY_BUCKETS - 1);
}

void registry_init(struct registry *s, uint64_t salt, int kept)
{
    memset(s, 0, sizeof *s);
    s->salt = salt;
    s->kept = kept;
}

void registry_free(struct registry *s)
{
    while (s->newest) {
        struct job *j = s->newest;

        s->newest = j->links.older;
        job_free(j);
    }
    registry_init(s, s->salt, s->kept);
}

void registry_add(struct registry *s, struct job *j)
{
    struct job **id = &s->by_id[id_bucket(s, j->id)];

    assert(!s->newest || s->newest->order < j->order);
    j->links.next_id = *id;
    *id = j;
    if (j->key[0]) {
        struct job **key = &s->by_key[key_bucket(s, j->key)];

        j->links.next_key = *key;
        *key = j;
    }
    j->links.older = s->newest;
    if (s->newest) s->newest->links.newer = j;
    if (!s->oldest) s->oldest = j;
    s->newest = j;
    s->n++;
}

static void unchain(struct registry *s, struct job *j)
{
    struct job **at = &s->by_id[id_bucket(s, j->id)];

    while (*at != j)
        at = &(*at)->links.next_id;
    *at = j->links.next_id;
    if (!j->key[0]) return;
    at = &s->by_key[key_bucket(s, j->key)];
    while (*at != j)
        at = &(*at)->links.next_key;
    *at = j->links.next_key;
}

void registry_drop(struct registry *s, struct job *j)
{
    assert(s->n > 0);
    unchain(s, j);
    *(j->links.newer ? &j->links.newer->links.older : &s->newest) = j->links.older;
    *(j->links.older ? &j->links.older->links.newer : &s->oldest) = j->links.newer;
    s->n--;
    job_free(j);
}

/* Drop the first of those that are over whose end everybody has read and whose run is gone. */
static bool drop_one(struct registry *s)
{
    struct job **at = &s->over_first, *before = NULL;

    for (; *at; before = *at, at = &(*at)->links.next_over) {
        struct job *j = *at;

        if (j->subscriptions || j->run.device) continue;
        *at = j->links.next_over;
        if (s->over_last == j) s->over_last = before;
        s->n_over--;
        registry_drop(s, j);
        return true;
    }
    return false;
}

void registry_over(struct registry *s, struct job *j)
{
    assert(job_over(j));
    j->links.next_over = NULL;
    *(s->over_last ? &s->over_last->links.next_over : &s->over_first) = j;
    s->over_last = j;
    s->n_over++;
    while (s->n_over > s->kept && drop_one(s))
        ;
}

struct job *registry_find(const struct registry *s, uint64_t id)
{
    struct job *j = s->by_id[id_bucket(s, id)];

    while (j && j->id != id)
        j = j->links.next_id;
    return j;
}

struct job *registry_find_key(const struct registry *s, const char *key)
{
    struct job *j = key[0] ? s->by_key[key_bucket(s, key)] : NULL;

    while (j && strcmp(j->key, key) != 0)
        j = j->links.next_key;
    return j;
}
