/* chunk - reading the header. */
#include "proto/chunk.h"

#include "proto/limits.h"

#include <string.h>

static uint64_t little(const uint8_t *at, int bytes)
{
    uint64_t n = 0;

    for (int i = bytes; i-- > 0;)
        n = n << 8 | at[i];
    return n;
}

/* The first thing that is wrong with a header, or NULL. */
static const char *wrong(const uint8_t *at, size_t len)
{
    const uint64_t bytes = little(at + 28, 4);

    if (memcmp(at, "DRKM", 4) != 0) return "magic";
    if (at[4] != FRAME_VERSION) return "version";
    if (at[5] != CHUNK_KIND) return "kind";
    if (little(at + 6, 2) || little(at + 24, 4)) return "zeros";
    if (bytes < 1 || bytes > LIMIT_CHUNK_BYTES || bytes != len - FRAME_HEADER) return "bytes";
    return NULL;
}

int chunk_decode(const void *message, size_t len, struct file_part *out, struct fail *f)
{
    const uint8_t *at = message;
    const char *why = len < FRAME_HEADER ? "header" : wrong(at, len);

    if (why) {
        fail_set(f, ERR_BAD_REQUEST, "A binary message is no part of an upload: its %s is wrong",
                 why);
        return fail_advise(f, "Send 32 bytes of header, then the bytes, as PROTOCOL.md has it.");
    }
    *out = (struct file_part){.upload = little(at + 8, 8),
                              .at = little(at + 16, 8),
                              .data = at + FRAME_HEADER,
                              .bytes = len - FRAME_HEADER};
    return 0;
}
