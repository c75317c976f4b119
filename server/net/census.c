/* census - chained lists by a hash of the host's bytes. */
#include "server/net/census.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static unsigned hash(const struct address *a)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->at;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->at;
    uint32_t part[4] = {0}, h = 2166136261u;

    if (a->at.ss_family == AF_INET)
        memcpy(part, &v4->sin_addr, sizeof v4->sin_addr);
    else if (a->at.ss_family == AF_INET6)
        memcpy(part, &v6->sin6_addr, sizeof v6->sin6_addr);
    for (int i = 0; i < 4; i++)
        h = (h ^ part[i]) * 2654435761u;
    return (h >> 16) % CENSUS_LISTS;
}

struct census_entry *census_enter(struct census *s, const struct address *from)
{
    struct census_entry **list = &s->list[hash(from)], *e = *list;

    while (e && !address_same_host(&e->from, from))
        e = e->next;
    if (!e) {
        e = calloc(1, sizeof *e);
        if (!e) return NULL;
        e->from = *from;
        e->next = *list;
        e->self = list;
        if (e->next) e->next->self = &e->next;
        *list = e;
    }
    e->n++;
    return e;
}

void census_leave(struct census_entry *e)
{
    if (--e->n) return;
    *e->self = e->next;
    if (e->next) e->next->self = e->self;
    free(e);
}
