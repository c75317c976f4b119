/* attach - the pictures that a request in a foreign dialect comes with: each is uploaded, so that
 * its job can begin with them.
 *
 * Each is a file as bytes or in base64, which becomes an upload of its user as any other, or an
 * address of a picture of this server, which needs none. Long base64 was decoded while it came
 * (lift.h). Thread: the loop's. */
#ifndef SERVER_HTTP_ATTACH_H
#define SERVER_HTTP_ATTACH_H

#include "proto/spec_images.h"
#include "server/http/exchange.h"

struct attach {
    int n, kept; /* pictures; those whose digest is known */
    char digest[LIMIT_IMAGES][SPEC_DIGEST_TEXT];
};

/* One more, of this field of the dialect. 0, or why it cannot be taken: ERR_BAD_FIELD. What a file
 * is not comes back as a message of type `error`. */
int attach_file(struct exchange *, struct attach *, const char *field, const void *bytes,
                size_t len, struct fail *f);
/* A member of the request that can be a picture: a text, or one that was lifted out of it. */
bool attach_given(const struct exchange *, const json_t *);
/* The same of such a member: base64, also behind "data:image/png;base64,", or an address. */
int attach_value(struct exchange *, struct attach *, const char *field, const json_t *,
                 struct fail *f);
/* The same of a text. */
int attach_text(struct exchange *, struct attach *, const char *field, const char *text,
                struct fail *f);
/* A message of type `image` has come. */
void attach_take(struct attach *, const json_t *message);
static inline bool attach_waits(const struct attach *a)
{
    return a->kept < a->n;
}
/* Puts `images` into a spec, if there are any. */
void attach_put(const struct attach *, json_t *spec);

#endif
