/* hello - the first message on every connection: what this server is, can do, and suggests.
 * Thread: the loop's. */
#ifndef SERVER_NET_HELLO_H
#define SERVER_NET_HELLO_H

#include "kernels/glm.h"
#include "proto/answer.h"
#include "proto/spec.h"
#include "server/base/blob.h"

#define HELLO_SIZES 8

struct hello {
    struct spec_limits limits; /* the widest until hello_model() */
    char no_images[160];       /* the limits' */
    struct answer_size sizes[HELLO_SIZES];
    int n_sizes;
    char *examples[LIMIT_EXAMPLES]; /* owned */
    int n_examples;
    struct blob *made; /* the last one, as long as it holds for the next connection; or NULL */
    size_t time_at;    /* where the digits of its time are */
    int made_cap;
    uint32_t made_user; /* its id; 0: none */
    uint64_t made_notice_seq;
    uint64_t made_cap_seq;
};

void hello_init(struct hello *);
void hello_free(struct hello *);
/* Narrow to a model that is open. Its examples and those of its sizes that can be drawn are the
 * suggestions; they are copied. */
void hello_model(struct hello *, const struct glm_info *);
/* Presets for a model that names none: its own size, and wider, higher and larger ones within
 * reach. */
int hello_sizes(int width, int height, int side_max, struct answer_size out[HELLO_SIZES]);
/* The users have changed, or another of its figures. */
void hello_changed(struct hello *);
/* say: filled in but for limits, sizes and examples; of one process only time, concurrency,
 * user and notices change. Written anew when one of these but the time does; else a copy with its
 * own time, as thousands may connect at once. NULL when memory is short. */
struct blob *hello_blob(struct hello *, struct answer_hello *say);

#endif
