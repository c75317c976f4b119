/* pixels - the slots are allocated once, for the life of their worker. */
#include "server/worker/pixels.h"

#include <stdlib.h>

int pixels_init(struct pixels *p, struct fail *f)
{
    pthread_mutex_init(&p->lock, NULL);
    for (int i = 0; i < LIMIT_PREVIEW_SLOTS; i++) {
        struct pixels_preview *s = &p->slot[i];

        s->m.kind = PIXELS_PREVIEW;
        s->owner = p;
        s->rgb = malloc(LIMIT_PREVIEW_PX_MAX * LIMIT_PREVIEW_PX_MAX * 3);
        if (!s->rgb) {
            pixels_destroy(p);
            return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for previews.");
        }
        pixels_release(s);
    }
    return 0;
}

void pixels_destroy(struct pixels *p)
{
    for (int i = 0; i < LIMIT_PREVIEW_SLOTS; i++)
        free(p->slot[i].rgb);
    pthread_mutex_destroy(&p->lock);
}

void pixels_release(struct pixels_preview *s)
{
    pthread_mutex_lock(&s->owner->lock);
    s->next_free = s->owner->free_slots;
    s->owner->free_slots = s;
    pthread_mutex_unlock(&s->owner->lock);
}

struct pixels_preview *pixels_take(struct pixels *p)
{
    struct pixels_preview *s;

    pthread_mutex_lock(&p->lock);
    s = p->free_slots;
    if (s) p->free_slots = s->next_free;
    pthread_mutex_unlock(&p->lock);
    return s;
}

void pixels_picture_free(struct pixels_picture *p)
{
    if (!p) return;
    spec_free(&p->spec);
    free(p->rgb);
    free(p);
}
