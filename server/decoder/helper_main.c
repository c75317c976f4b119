/* helper_main - maps, gives up its rights, answers. Nothing here is freed: the process ends. */
#include "server/decoder/helper_main.h"

#include "server/decoder/image.h"
#include "server/decoder/warm_up.h"
#include "server/decoder/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The most that one takes: 64 megapixels of a progressive JPEG in four inks, whose coefficients
 * have 512 MiB, beside 224 MiB of shared memory and the program. */
static const struct sandbox_limits LIMITS = {.memory = (size_t)1 << 30, .cpu_s = 120};

bool helper_called(int argc, char *const *args)
{
    return argc == 2 && strcmp(args[1], HELPER_WORD) == 0;
}

static uint8_t *map_memory(void)
{
    void *p = mmap(NULL, WIRE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, WIRE_MEMORY, 0);

    close(WIRE_MEMORY);
    return p == MAP_FAILED ? NULL : p;
}

static void decode(uint8_t *memory, size_t bytes, struct wire_answer *a)
{
    struct image_limits limits;

    memset(a, 0, sizeof *a);
    image_limits_init(&limits);
    if (!image_look(memory, bytes, &limits, &a->facts, &a->why))
        image_decode(memory, bytes, &a->facts, memory + WIRE_PIXELS, &a->why);
}

int helper_main(const struct sandbox_limits *limits)
{
    uint8_t *memory = map_memory();
    struct wire_hello hello = {memory ? 0 : errno};
    struct wire_request ask;
    struct wire_answer answer;

    prctl(PR_SET_NAME, HELPER_WORD);
    if (memory && warm_up()) hello.error = EINVAL;
    if (!hello.error) hello.error = sandbox_enter(limits ? limits : &LIMITS);
    if (write(WIRE_SOCKET, &hello, sizeof hello) != sizeof hello || hello.error) return 1;
    while (read(WIRE_SOCKET, &ask, sizeof ask) == sizeof ask && ask.bytes <= WIRE_PIXELS) {
        decode(memory, (size_t)ask.bytes, &answer);
        if (write(WIRE_SOCKET, &answer, sizeof answer) != sizeof answer) break;
    }
    _exit(0);
}
