/* openai - /v1/images/generations and /v1/models as clients of the OpenAI API expect them.
 *
 * A translator: its requests become submits, the events of the jobs its answers. What it leaves out
 * (quality, style ..) is named in the answer's `notes`, as is a size that was brought to one that
 * this model draws. The libraries repeat what fails with 408, 409, 429 and 5xx; x-should-retry
 * says what is of use to repeat: only what was refused for a while (retry-after-ms).
 * An answer that takes long begins with white space every 15 s, which proxies take for a sign of
 * life, and JSON's readers skip; an error then comes with status 200.
 * Thread: the loop's.
 * source OpenAI API reference, "Create image", "Image streaming" */
#ifndef SERVER_HTTP_OPENAI_H
#define SERVER_HTTP_OPENAI_H

#include "server/http/exchange.h"

extern const struct translator OPENAI_GENERATE, OPENAI_EDIT, OPENAI_MODELS;

#endif
