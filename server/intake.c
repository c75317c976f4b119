/* intake - one message that is handed on from thread to thread. */
#include "server/intake.h"

#include "server/base/clock.h"
#include "server/store/store.h"

#include <stdio.h>
#include <stdlib.h>

/* The end of the way. */
static void tell(struct service *s, const struct intake *m, const struct fail *why)
{
    struct hub_image i = {.ticket = m->ticket, .private = m->private, .image = m->image};
    const struct glm *glm = live_engine(s);

    if (!why) {
        i.bytes = (int64_t)m->png->len;
        i.png = m->private ? m->png : NULL;
        i.changed = m->changed;
    }
    if (glm && i.image.width)
        glm_image_size(glm, i.image.width, i.image.height, &i.image.used_width,
                       &i.image.used_height);
    hub_image(s->hub, clock_us(), &i, why);
}

/* Not from within a call of the hub: by way of the mailbox. */
static void refuse(struct service *s, struct intake *m)
{
    m->m.kind = LOOP_KEPT;
    mbox_push(&s->box, &m->m);
}

void intake_begin(struct service *s, const struct hub_file *file)
{
    struct intake *m = calloc(1, sizeof *m);
    struct decoding *d = m ? calloc(1, sizeof *d) : NULL;

    if (!m) m = reserve_take(&s->reserve);
    m->ticket = file->ticket;
    m->owner = file->owner;
    m->private = file->private;
    m->created_ms = file->created_ms;
    if (!d) {
        fail_set(&m->why, ERR_OUT_OF_MEMORY, "No memory for the picture");
        refuse(s, m);
        return;
    }
    d->file = blob_ref(file->bytes);
    d->owner = m;
    decoder_push(s->decoder, d);
}

/* Words for programs, as JSON. */
static void write_changes(unsigned changes, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "[");

    for (int i = 0; i < IMAGE_CHANGES && len < size; i++)
        if (changes & 1U << i)
            len += (size_t)snprintf(out + len, size - len, "%s\"%s\"", len > 1 ? "," : "",
                                    image_change_name((enum image_change)i));
    if (len < size) snprintf(out + len, size - len, "]");
}

void intake_decoded(struct service *s, struct decoding *d)
{
    struct intake *m = d->owner;

    decoder_count(&s->decoded, d);
    if (!d->rgb) {
        tell(s, m, &d->why);
        free(m);
        return;
    }
    m->rgb = blob_ref(d->rgb);
    m->image.width = d->facts.width;
    m->image.height = d->facts.height;
    write_changes(d->facts.changes, m->changed, sizeof m->changed);
    converter_press(s->converter, m);
}

void intake_pressed(struct service *s, struct intake *m)
{
    if (!m->png || m->private) {
        tell(s, m, m->png ? NULL : &m->why);
        events_free(&m->m);
        return;
    }
    store_keep_image(s->store, m);
}

void intake_kept(struct service *s, struct intake *m)
{
    tell(s, m, m->why.code ? &m->why : NULL);
}
