/* test_helper - the process that decodes: what it may, how it ends, what its parent makes of that.
 *
 * This program is also that process: with a word it plays one of its own, some of them taken over
 * by the file that they decode. */
#include "server/decoder/helper.h"

#include "server/base/clock.h"
#include "server/decoder/helper_main.h"
#include "server/decoder/wire.h"

#include "test/server/decoder/images.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* --- what the process plays ------------------------------------------------------------------- */

static void answer(int width, int height)
{
    struct wire_answer a = {.facts = {.width = width, .height = height, .orientation = 1}};

    a.facts.file_width = width;
    a.facts.file_height = height;
    if (write(WIRE_SOCKET, &a, sizeof a) < 0) _exit(1);
}

static void play_opens(void)
{
    open("/etc/passwd", O_RDONLY);
}
static void play_socket(void)
{
    socket(AF_INET, SOCK_STREAM, 0);
}
static void play_forks(void)
{
    syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}
static void play_execs(void)
{
    execl("/bin/true", "true", (char *)NULL);
}
static void play_kills(void)
{
    kill(getppid(), SIGUSR1);
}
static void play_stats(void)
{
    syscall(SYS_uname, NULL);
}
static void play_runs_memory(void)
{
    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void play_makes_code(void)
{
    mprotect((void *)((uintptr_t)&play_opens & ~(uintptr_t)4095), 4096, PROT_READ | PROT_WRITE);
}
static void play_maps_file(void)
{
    mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 2, 0);
}
static void play_writes_elsewhere(void)
{
    if (write(2, "x", 1) < 0) return;
}
static void play_traces(void)
{
    syscall(SYS_ptrace, 0, 0, 0, 0);
}
/* x32's numbers are the same calls by other names. */
static void play_other_numbers(void)
{
    syscall(SYS_getpid | 0x40000000);
}
static void play_maps_shared(void)
{
    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, WIRE_SOCKET, 0);
}
static void play_lies(void)
{
    answer(1 << 20, 1 << 20);
}
static void play_loops(void)
{
    for (volatile int i = 0;; i++) {}
}
static void play_sleeps(void)
{
    char c;

    while (read(WIRE_SOCKET, &c, 1) > 0) {}
}
static void play_babbles(void)
{
    answer(3, 2);
    answer(3, 2);
}

static const struct {
    const char *word;
    void (*play)(void);
} PLAYS[] = {
    {"opens", play_opens},
    {"connects", play_socket},
    {"forks", play_forks},
    {"execs", play_execs},
    {"kills", play_kills},
    {"stats", play_stats},
    {"runs memory", play_runs_memory},
    {"makes code", play_makes_code},
    {"maps a file", play_maps_file},
    {"writes elsewhere", play_writes_elsewhere},
    {"traces", play_traces},
    {"other numbers", play_other_numbers},
    {"maps shared", play_maps_shared},
    {"lies", play_lies},
    {"loops", play_loops},
    {"sleeps", play_sleeps},
    {"babbles", play_babbles},
};

/* How many descriptors are open, and whether the environment holds something. */
static void say_what_is_inherited(void)
{
    int open_files = 0;

    for (int fd = 0; fd < 1024; fd++)
        open_files += fcntl(fd, F_GETFD) >= 0;
    answer(open_files, getenv("HOME") || getenv("TEST_SECRET") ? 2 : 1);
}

static void hello(int error)
{
    const struct wire_hello h = {error};

    if (write(WIRE_SOCKET, &h, sizeof h) < 0) _exit(1);
}

static int play(const char *word)
{
    static const struct sandbox_limits limits = {(size_t)1 << 30, 60};
    static const struct sandbox_limits poor = {(size_t)330 << 20, 60};
    struct wire_request ask;

    if (!strcmp(word, "poor")) return helper_main(&poor);
    if (!strcmp(word, "dies early")) return 3;
    if (!strcmp(word, "unconfined")) {
        hello(ENOSYS);
        return 1;
    }
    if (!strcmp(word, "inherits") || !strcmp(word, "is killed"))
        hello(0);
    else
        hello(sandbox_enter(&limits));
    while (read(WIRE_SOCKET, &ask, sizeof ask) == sizeof ask) {
        if (!strcmp(word, "inherits")) say_what_is_inherited();
        if (!strcmp(word, "is killed")) raise(SIGKILL);
        for (size_t i = 0; i < sizeof PLAYS / sizeof *PLAYS; i++)
            if (!strcmp(word, PLAYS[i].word)) PLAYS[i].play();
    }
    _exit(0);
}

/* --- the parent ------------------------------------------------------------------------------- */

static void start(struct helper *h, const char *word)
{
    const struct helper_conf conf = {.stop_fd = -1, .word = word};

    assert_int_equal(helper_open(h, &conf, NULL), 0);
}

static int decode(struct helper *h, const char *name, struct image_facts *facts, struct fail *f)
{
    struct images_file file;
    const uint8_t *rgb;
    int err;

    images_read(&file, name);
    err = helper_decode(h, file.bytes, file.len, facts, &rgb, f);
    free(file.bytes);
    return err;
}

/* catches: a process that is started for each file, pixels that stay for the next one to see, a
 * refusal that ends the process */
static void one_process_decodes_many(void **state)
{
    struct helper h;
    struct image_facts facts;
    struct images_file file;
    struct fail f;
    const uint8_t *rgb;
    pid_t pid;

    (void)state;
    start(&h, NULL);
    assert_int_equal(helper_start(&h, &f), 0);
    pid = h.pid;
    images_read(&file, "plain.png");
    assert_int_equal(helper_decode(&h, file.bytes, file.len, &facts, &rgb, &f), 0);
    assert_true(facts.width == 40 && facts.height == 28 && rgb[3] == 6);
    helper_clear(&h);
    assert_true(rgb[3] == 0 && h.memory[0] == 0);
    assert_int_equal(helper_decode(&h, file.bytes, 50, &facts, &rgb, &f), ERR_BAD_IMAGE);
    assert_string_equal(f.field, "image");
    assert_int_equal(decode(&h, "oriented6.jpg", &facts, &f), 0);
    assert_true(facts.width == 27 && facts.orientation == 6);
    assert_int_equal(decode(&h, "oriented.webp", &facts, &f), 0);
    assert_int_equal(helper_decode(&h, file.bytes, (size_t)LIMIT_IMAGE_BYTES + 1, &facts, &rgb, &f),
                     ERR_TOO_LARGE);
    assert_int_equal(h.pid, pid);
    free(file.bytes);
    helper_close(&h);
    assert_true(kill(pid, 0) < 0 && errno == ESRCH);
}

/* catches: a system call that the filter lets through: what a decoder that was taken over would
 * try first */
static void what_is_forbidden_kills_it(void **state)
{
    static const char *const words[] = {
        "opens",  "connects",      "forks",      "execs",       "kills",
        "stats",  "runs memory",   "makes code", "maps a file", "writes elsewhere",
        "traces", "other numbers", "maps shared"};

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct helper h;
        struct image_facts facts;
        struct fail f;
        int status;
        pid_t pid;

        start(&h, words[i]);
        assert_int_equal(helper_start(&h, &f), 0);
        pid = h.pid;
        h.pid = 0; /* so that its end is seen here */
        assert_int_equal(send(h.socket, &(struct wire_request){1}, sizeof(struct wire_request), 0),
                         sizeof(struct wire_request));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS) print_error("%s\n", words[i]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
        close(h.socket);
        h.socket = -1;
        assert_int_equal(decode(&h, "plain.png", &facts, &f), ERR_BAD_IMAGE);
        assert_non_null(strstr(f.message, "brings its decoder down"));
        helper_close(&h);
    }
}

/* catches: a descriptor of a client or of the database, or a secret, in the process */
static void it_inherits_nothing(void **state)
{
    struct helper h;
    struct image_facts facts;
    int open_here[8];

    (void)state;
    setenv("TEST_SECRET", "x", 1);
    for (int i = 0; i < 8; i++)
        open_here[i] = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as a library's are */
    start(&h, "inherits");
    assert_int_equal(decode(&h, "plain.png", &facts, NULL), 0);
    assert_int_equal(facts.width, 3);
    assert_int_equal(facts.height, 1);
    helper_close(&h);
    for (int i = 0; i < 8; i++)
        close(open_here[i]);
}

static void expect_line(pid_t pid, const char *line)
{
    char path[64], text[4096];
    int fd;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = read(fd, text, sizeof text - 1);
    close(fd);
    assert_true(n > 0);
    text[n] = '\0';
    if (!strstr(text, line)) print_error("%s", text);
    assert_non_null(strstr(text, line));
}

/* catches: a filter that is not there, rights of root, a memory that has no limit */
static void the_kernel_says_so(void **state)
{
    struct helper h;

    (void)state;
    start(&h, NULL);
    assert_int_equal(helper_start(&h, NULL), 0);
    expect_line(h.pid, "\nSeccomp:\t2\n");
    expect_line(h.pid, "\nNoNewPrivs:\t1\n");
    expect_line(h.pid, "\nCapEff:\t0000000000000000\n");
    expect_line(h.pid, "\nCapPrm:\t0000000000000000\n");
    helper_close(&h);
}

/* Until it has said something, or hung up. */
static void await(const struct helper *h)
{
    struct pollfd p = {h->socket, POLLIN, 0};

    assert_int_equal(poll(&p, 1, -1), 1);
}

/* catches: a file that ends the service of all others; a process that is dead and used */
static void the_next_file_works(void **state)
{
    struct helper h;
    struct image_facts facts;
    struct fail f;
    pid_t pid;

    (void)state;
    start(&h, NULL);
    assert_int_equal(decode(&h, "plain.png", &facts, &f), 0);
    pid = h.pid;
    kill(pid, SIGKILL); /* while it waits */
    await(&h);
    assert_int_equal(decode(&h, "plain.png", &facts, &f), 0);
    assert_true(h.pid != pid && !h.deaths);
    h.conf.word = "is killed"; /* while it works, by the system */
    kill(h.pid, SIGKILL);
    await(&h);
    assert_int_equal(decode(&h, "plain.png", &facts, &f), ERR_OUT_OF_MEMORY);
    assert_true(f.retry_after_ms > 0 && h.deaths == 1 && !h.pid);
    h.conf.word = "opens";
    for (int i = 0; i < 4; i++)
        assert_int_equal(decode(&h, "plain.png", &facts, &f), ERR_BAD_IMAGE);
    assert_int_equal(h.deaths, 5);
    assert_true(h.start_us > clock_us()); /* the pause, from the fourth on */
    h.conf.word = HELPER_WORD;
    assert_int_equal(decode(&h, "plain.png", &facts, &f), 0);
    assert_int_equal(h.deaths, 0);
    helper_close(&h);
}

/* catches: a file that keeps the process for ever, by calculating or by sleeping */
static void time_is_bounded(void **state)
{
    struct helper h;
    struct image_facts facts;
    struct fail f;

    (void)state;
    start(&h, "loops");
    h.conf.cpu_ms = 100;
    assert_int_equal(decode(&h, "plain.png", &facts, &f), ERR_BAD_IMAGE);
    assert_non_null(strstr(f.message, "too long"));
    assert_true(!h.pid && h.deaths == 1);
    h.conf.word = "sleeps";
    h.conf.clock_ms = 300;
    assert_int_equal(decode(&h, "plain.png", &facts, &f), ERR_BAD_IMAGE);
    assert_non_null(strstr(f.message, "too long"));
    helper_close(&h);
}

/* catches: a process that the kernel ends in the middle of a file, as its time of life is over */
static void it_is_replaced_in_time(void **state)
{
    struct helper h;
    struct image_facts facts;
    struct fail f;
    pid_t first;

    (void)state;
    start(&h, NULL);
    h.conf.life_ms = 1;
    assert_int_equal(decode(&h, "plain.png", &facts, &f), 0);
    first = h.pid;
    for (int i = 0; i < 100000 && h.pid == first; i++)
        assert_int_equal(decode(&h, "plain.png", &facts, &f), 0);
    assert_true(h.pid != first && !h.deaths);
    helper_close(&h);
}

/* An interlaced one is decoded as a whole: 4 bytes a pixel. */
static size_t large_png(uint8_t *out)
{
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0,    13,
                                  'I',  'H', 'D', 'R', 0,    0,    0x20, 0,    0, 0, 0x20, 0,
                                  8,    2,   0,   0,   1,    0,    0,    0,    0, 0, 0,    0,
                                  2,    'I', 'D', 'A', 'T',  0x78, 0x9c, 0,    0, 0, 0};
    struct {
        int from, to;
    } sums[] = {{12, 29}, {37, 43}};

    memcpy(out, png, sizeof png);
    for (int k = 0; k < 2; k++) {
        uint32_t crc = 0xffffffff;

        for (int i = sums[k].from; i < sums[k].to; i++) {
            crc ^= out[i];
            for (int b = 0; b < 8; b++)
                crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
        for (int i = 0; i < 4; i++)
            out[sums[k].to + i] = (uint8_t)(~crc >> (24 - 8 * i));
    }
    return sizeof png;
}

/* catches: a picture that takes the machine's memory; a process that dies of having none */
static void memory_is_bounded(void **state)
{
    struct helper h;
    struct image_facts facts;
    struct fail f;
    uint8_t png[128];
    const size_t n = large_png(png);
    const uint8_t *rgb;
    pid_t pid;

    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* it has no such limit */
#endif
    start(&h, NULL);
    assert_int_equal(helper_decode(&h, png, n, &facts, &rgb, &f), ERR_BAD_IMAGE);
    assert_non_null(strstr(f.message, "damaged")); /* within the product's limit */
    helper_close(&h);
    start(&h, "poor");
    assert_int_equal(helper_start(&h, &f), 0);
    pid = h.pid;
    assert_int_equal(helper_decode(&h, png, n, &facts, &rgb, &f), ERR_BAD_IMAGE);
    assert_non_null(strstr(f.message, "memory"));
    assert_int_equal(decode(&h, "plain.png", &facts, &f), 0);
    assert_int_equal(h.pid, pid);
    helper_close(&h);
}

/* catches: numbers of a process that was taken over that are believed */
static void its_answers_are_not_believed(void **state)
{
    struct helper h;
    struct image_facts facts;
    struct fail f;

    (void)state;
    start(&h, "lies");
    assert_int_equal(decode(&h, "plain.png", &facts, &f), ERR_BAD_IMAGE);
    assert_true(!h.pid);
    h.conf.word = "babbles";
    assert_int_equal(decode(&h, "plain.png", &facts, &f), 0);
    await(&h);
    h.conf.word = HELPER_WORD;
    assert_int_equal(decode(&h, "oriented6.jpg", &facts, &f), 0);
    assert_int_equal(facts.width, 27); /* not what the other one had said too much */
    helper_close(&h);
}

/* catches: files that are decoded without a filter where the system has none; a start that is tried
 * again for every file */
static void without_a_filter_nothing_is_decoded(void **state)
{
    static const char *const words[] = {"unconfined", "dies early"};
    struct image_facts facts;

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct helper h;
        struct fail f = {0};

        start(&h, words[i]);
        assert_int_equal(decode(&h, "plain.png", &facts, &f), ERR_INTERNAL);
        assert_non_null(strstr(f.message, i ? "ended at once" : "seccomp"));
        assert_int_equal(f.retry_after_ms, 1000);
        assert_int_equal(decode(&h, "plain.png", &facts, &f), ERR_INTERNAL);
        assert_int_equal(h.failed_starts, 1);
        h.start_us = 0;
        assert_int_equal(helper_start(&h, &f), ERR_INTERNAL);
        assert_int_equal(f.retry_after_ms, 2000);
        helper_close(&h);
    }
}

/* catches: a server that waits for a picture before it ends */
static void a_stop_is_at_once(void **state)
{
    const int fd = eventfd(0, EFD_CLOEXEC);
    const struct helper_conf conf = {.stop_fd = fd, .word = "sleeps"};
    struct helper h;
    struct image_facts facts;
    struct fail f;

    (void)state;
    assert_int_equal(helper_open(&h, &conf, &f), 0);
    assert_int_equal(helper_start(&h, &f), 0);
    eventfd_write(fd, 1);
    assert_int_equal(decode(&h, "plain.png", &facts, &f), ERR_SHUTTING_DOWN);
    helper_close(&h);
    close(fd);
}

/* catches: processes that stay after kill -9 of the server */
static void it_ends_with_its_parent(void **state)
{
    int ends[2], status;
    pid_t parent, pid = 0;

    (void)state;
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* so that it can be waited for here */
    assert_int_equal(pipe(ends), 0);
    parent = fork();
    if (!parent) {
        struct helper h;

        start(&h, "loops");
        if (helper_start(&h, NULL) || write(ends[1], &h.pid, sizeof h.pid) != sizeof h.pid)
            _exit(1);
        send(h.socket, &(struct wire_request){1}, sizeof(struct wire_request), 0);
        raise(SIGKILL);
    }
    assert_int_equal(read(ends[0], &pid, sizeof pid), sizeof pid);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    close(ends[0]);
    close(ends[1]);
}

int main(int argc, char **args)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_process_decodes_many),
        cmocka_unit_test(what_is_forbidden_kills_it),
        cmocka_unit_test(it_inherits_nothing),
        cmocka_unit_test(the_kernel_says_so),
        cmocka_unit_test(the_next_file_works),
        cmocka_unit_test(time_is_bounded),
        cmocka_unit_test(it_is_replaced_in_time),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(its_answers_are_not_believed),
        cmocka_unit_test(without_a_filter_nothing_is_decoded),
        cmocka_unit_test(a_stop_is_at_once),
        cmocka_unit_test(it_ends_with_its_parent),
    };

    if (helper_called(argc, args)) return helper_main(NULL);
    if (argc == 2) return play(args[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
