/* a1111 - /sdapi/v1 as clients of AUTOMATIC1111's web UI expect it.
 *
 * A translator: txt2img becomes submits, whose keys begin with a word and the user's number; by
 * these keys `progress` and `interrupt` find one's own jobs of this dialect and no others. What
 * this model has not is named in the answer's info.notes: samplers, negative prompts (it has none)
 * and the like. cfg_scale is `guidance`. `progress` shows the newest preview, which txt2img
 * demands as long as it draws.
 * An answer that takes long begins with white space, as in openai.h. Thread: the loop's.
 * source AUTOMATIC1111/stable-diffusion-webui 1.10, modules/api */
#ifndef SERVER_HTTP_A1111_H
#define SERVER_HTTP_A1111_H

#include "server/http/exchange.h"

/* A1111_GET and A1111_POST: what stands in tables, by the last word of the path. */
extern const struct translator A1111_TXT2IMG, A1111_IMG2IMG, A1111_PROGRESS, A1111_INTERRUPT,
    A1111_GET, A1111_POST;

/* --- for the two halves of the dialect -------------------------------------------------------- */

#define A1111_KEY_BYTES 32

/* What the keys of this user's jobs begin with. */
void a1111_key(const struct http_request *, char out[A1111_KEY_BYTES]);
/* Previews of one size and form for txt2img and progress: what one demands, the other shows. */
void a1111_previews(struct exchange *);
/* Errors as FastAPI writes them. */
void a1111_refuse(struct http_reply *, const struct fail *, int status);

#endif
