/* sources - a digest is looked for in memory, then on disk; a job's id is its result's digest. */
#include "server/core/sources.h"

#include "server/core/private.h"
#include "server/core/uploads.h"

#include <assert.h>
#include <string.h>

static int unknown(struct fail *f)
{
    fail_field(f, ERR_NOT_FOUND, "images", "There is no such picture");
    return fail_advise(f, "Upload it, or name a finished job of yours.");
}

/* The job's id becomes the digest of its result. */
static int name_result(const struct hub *h, const struct account *a, struct spec_image *image,
                       struct fail *f)
{
    const struct job *j = registry_find(&h->registry, image->job);

    if (!j || j->state == JOB_ADMIT || j->owner != a) return unknown(f);
    if (j->sweep) {
        fail_field(f, ERR_CONFLICT, "images", "The job is a sweep, which has no picture");
        return fail_advise(f, "Name one of its cells.");
    }
    if (j->state != JOB_DONE) {
        fail_field(f, ERR_CONFLICT, "images",
                   job_over(j) ? "The job has no picture" : "The job is not done yet");
        return fail_advise(f, "Name a job that is done.");
    }
    image->job = 0;
    if (spec_digest_parse(j->end.digest, image->digest)) return 0;
    assert(!"a result without a digest");
    return unknown(f);
}

/* Of an account, in memory: an upload, or the picture of a private job. NULL: none. */
static struct blob *find_private(const struct hub *h, const struct account *a,
                                 struct spec_image *image)
{
    const struct private_image *m = uploads_private(h, a, image->digest);
    char digest[SPEC_DIGEST_TEXT];
    const struct job *j;
    struct blob *file;
    uint64_t job;

    if (m) {
        image->width = m->image.width;
        image->height = m->image.height;
        return m->file;
    }
    spec_digest_text(image->digest, digest);
    file = private_picture(h, a->user.id, digest, &job);
    if (!file) return NULL;
    j = registry_find(&h->registry, job);
    image->width = j->spec.width;
    image->height = j->spec.height;
    return file;
}

static int check_one(const struct hub *h, const struct account *a, bool private,
                     struct spec_image *image, struct fail *f)
{
    int err = image->job ? name_result(h, a, image, f) : 0;

    if (err) return err;
    if (h->out.source(h->out.arg, a->user.id, image, f) == 0) return 0;
    if (!find_private(h, a, image)) return f->code == ERR_NOT_FOUND ? unknown(f) : f->code;
    if (private) return 0;
    fail_field(f, ERR_BAD_FIELD, "images", "That picture is private, and the job is not");
    return fail_advise(f, "Submit it with \"private\": true, or upload the picture again.");
}

static int check_all(const struct hub *h, const struct account *a, bool private, struct spec *s,
                     struct fail *f)
{
    int err = 0;

    for (int i = 0; i < s->images && !err; i++)
        err = check_one(h, a, private, &s->image[i], f);
    return err;
}

int sources_check(const struct hub *h, const struct account *a, struct command *c, struct fail *f)
{
    int err = check_all(h, a, c->private, &c->spec, f);

    for (int i = 0; i < c->sweep.values && !err; i++)
        err = check_all(h, a, c->private, &c->sweep.value[i], f);
    return err;
}

void sources_hold(const struct hub *h, struct job *j)
{
    assert(j->state == JOB_ADMIT);
    for (int i = 0; j->private && i < j->spec.images; i++) {
        struct blob *file = find_private(h, j->owner, &j->spec.image[i]);

        if (file) j->source[i] = blob_ref(file);
    }
}

void sources_restore(const struct hub *h, struct job *j)
{
    struct fail f;

    for (int i = 0; i < j->spec.images; i++)
        h->out.source(h->out.arg, j->owner->user.id, &j->spec.image[i], &f);
}
