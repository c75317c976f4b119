/* fuzz_command - any bytes from a client: no crash, every refusal exact,
 * every acceptance consistent. */
#include "proto/answer.h"
#include "proto/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(x) ((x) ? (void)0 : (fprintf(stderr, "%s\n", #x), abort()))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The error that the client would get is itself a valid message with code and advice. */
static void refused(const struct command *c, const struct fail *f)
{
    struct text t;
    json_t *back;

    text_init(&t, 0, LIMIT_OUTBOX_BYTES);
    answer_error(c->ref, c->kind, c->job, f, &t);
    MUST(text_check(&t, NULL) == 0);
    back = text_parse(t.at, t.len, LIMIT_OUTBOX_BYTES, NULL);
    MUST(back);
    MUST(f->code < 0 && f->code >= ERR_LAST && f->code != ERR_INTERNAL);
    MUST(*f->message && *f->hint);
    MUST(!c->spec.prompt);
    json_decref(back);
    text_free(&t);
}

/* What was accepted can be stored, read again, and is the same. */
static void accepted(const struct command *c, const struct spec_limits *l)
{
    uint8_t one[SPEC_DIGEST_BYTES], two[SPEC_DIGEST_BYTES];
    struct spec back;
    struct text t;

    if (!c->spec.prompt) return;
    text_init(&t, 0, LIMIT_OUTBOX_BYTES);
    MUST(spec_check(&c->spec, l, NULL) == 0);
    spec_write(&c->spec, &t, NULL);
    MUST(text_check(&t, NULL) == 0);
    MUST(spec_parse(&back, t.at, t.len, l, NULL) == 0);
    MUST(spec_digest(&c->spec, one) == 0 && spec_digest(&back, two) == 0);
    MUST(memcmp(one, two, sizeof one) == 0);
    spec_free(&back);
    text_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct spec_limits l;
    struct command c;
    struct fail f;

    spec_limits_init(&l);
    if (command_decode((const char *)data, size, &l, &c, &f))
        refused(&c, &f);
    else
        accepted(&c, &l);
    command_free(&c);
    return 0;
}
