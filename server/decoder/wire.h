/* wire - what the helper process and its parent tell each other: datagrams over a socket, bytes in
 * shared memory. Both ends are the same program. */
#ifndef SERVER_DECODER_WIRE_H
#define SERVER_DECODER_WIRE_H

#include "proto/fail.h"
#include "proto/limits.h"
#include "server/decoder/facts.h"

#include <stddef.h>
#include <stdint.h>

/* The shared memory: the file, then its pixels. Its size is sealed. */
#define WIRE_PIXELS ((size_t)LIMIT_IMAGE_BYTES)
#define WIRE_BYTES  (WIRE_PIXELS + 3 * (size_t)LIMIT_IMAGE_PIXELS)

/* The helper's descriptors: a socket, and the memory until it is mapped. */
enum { WIRE_SOCKET = 0, WIRE_MEMORY = 1 };

/* The helper's first datagram: it waits for files, or what keeps it from that. */
struct wire_hello {
    int32_t error; /* errno, 0: none */
};

struct wire_request {
    uint64_t bytes; /* of the file */
};

struct wire_answer {
    struct fail why; /* code 0: it is decoded */
    struct image_facts facts;
};

#endif
