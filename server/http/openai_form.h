/* openai_form - the body of POST /v1/images/edits: a form or JSON, with pictures in it.
 * Thread: the loop's. */
#ifndef SERVER_HTTP_OPENAI_FORM_H
#define SERVER_HTTP_OPENAI_FORM_H

#include "server/http/attach.h"

/* Its fields as the JSON of a generation, which the caller frees; its pictures (`image`, `image[]`,
 * `images`) are attached. NULL: f says why; also when there is a `mask`, or no picture. */
json_t *openai_form_read(struct exchange *, struct attach *, const struct http_request *,
                         struct fail *f);

#endif
