/* picture - copied to the host in one piece, so that its place on the device is free before it
 * is encoded. */
#include "server/worker/picture.h"

#include <stdlib.h>
#include <string.h>

int picture_take(struct resident *r, struct pixels_picture **out, struct fail *f)
{
    size_t bytes = (size_t)r->spec.width * (size_t)r->spec.height * 3;
    struct pixels_picture *p = calloc(1, sizeof *p);
    struct glm_picture picture = {.capacity = bytes};
    int err = 0;

    *out = NULL;
    if (p) picture.rgb = p->rgb = malloc(bytes);
    if (!picture.rgb) err = fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the finished picture.");
    if (!err) err = glm_run_image(r->run, &picture, f);
    if (err) {
        pixels_picture_free(p);
        return err;
    }
    p->m.kind = PIXELS_PICTURE;
    p->job = r->job;
    p->bare = !r->keep;
    p->spec = r->spec;
    p->steps = glm_run_steps(r->run);
    p->width = picture.width;
    p->height = picture.height;
    memset(&r->spec, 0, sizeof r->spec);
    *out = p;
    return 0;
}
