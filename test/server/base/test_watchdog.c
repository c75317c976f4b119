/* test_watchdog - a thread that does not move is found; one that is slow, idle or stopped with the
 * process is not. */
#include "server/base/watchdog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <signal.h>

enum { NAP = 20 }; /* ms */

/* In a child: run one case; status 0 when the watchdog did not bite. */
static int child(void (*work)(struct pulse *), struct pulse *p, char *words, size_t bytes)
{
    int tube[2], status;
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe(tube), 0);
    pid = fork();
    if (pid == 0) {
        struct watchdog_conf conf = {{p}, NAP, tube[1], _exit};
        struct watchdog *w;
        struct fail f;

        if (watchdog_new(&w, &conf, &f)) _exit(1);
        work(p);
        watchdog_free(w);
        _exit(0);
    }
    close(tube[1]);
    n = read(tube[0], words, bytes - 1);
    words[n > 0 ? n : 0] = 0;
    close(tube[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void nap(int naps)
{
    usleep((useconds_t)naps * NAP * 1000);
}

static void stuck(struct pulse *p)
{
    pulse_begin(p);
    nap(200);
}

static void busy(struct pulse *p)
{
    for (int i = 0; i < 30; i++) {
        pulse_begin(p);
        nap(2);
    }
    pulse_end(p);
    nap(30);
}

/* Three times as long as is allowed, but the process was stopped meanwhile. */
static void stopped(struct pulse *p)
{
    pid_t me = getpid(), helper;

    pulse_begin(p);
    helper = fork();
    if (helper == 0) {
        kill(me, SIGSTOP);
        nap(60);
        kill(me, SIGCONT);
        _exit(0);
    }
    while (waitpid(helper, NULL, 0) < 0) {}
    pulse_end(p);
}

/* Work is given all the time, and none is taken. */
static void deaf(struct pulse *p)
{
    for (int i = 0; i < 200; i++) {
        pulse_due(p);
        nap(1);
    }
}

static _Atomic int asked;

static void answers(void *pulse)
{
    asked++;
    pulse_end(pulse);
}

/* Asked for a sign now and then, and not all the time. */
static void is_asked(struct pulse *p)
{
    (void)p;
    nap(60);
    if (asked < 3 || asked > 60 / WATCHDOG_ASK + 1) _exit(2);
}

static void sleeps(struct pulse *p)
{
    (void)p;
    nap(60);
}

static void silent(void *pulse)
{
    (void)pulse;
}

/* catches: a thread that stands still for ever in a process that goes on */
static void bites(void **state)
{
    struct pulse p = {.name = "writer", .naps_max = 10}, q = {.name = "loop", .naps_max = 10};
    char words[256];
    int status;

    (void)state;
    status = child(stuck, &p, words, sizeof words);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 70);
    assert_non_null(strstr(words, "the writer has not moved"));
    status = child(deaf, &p, words, sizeof words);
    assert_int_equal(WEXITSTATUS(status), 70);
    q.ask = silent;
    status = child(sleeps, &q, words, sizeof words);
    assert_int_equal(WEXITSTATUS(status), 70);
    assert_non_null(strstr(words, "the loop has not moved"));
}

/* catches: a process ended though its thread works, sleeps with nothing to do,
 * or was stopped itself */
static void spares(void **state)
{
    struct pulse p = {.name = "writer", .naps_max = 20}, q = {.name = "loop", .naps_max = 20};
    char words[256];

    (void)state;
    assert_int_equal(child(busy, &p, words, sizeof words), 0);
    assert_int_equal(child(stopped, &p, words, sizeof words), 0);
    q.ask = answers;
    q.arg = &q;
    assert_int_equal(child(is_asked, &q, words, sizeof words), 0);
    assert_string_equal(words, "");
}

/* catches: a last message into a pipe without a reader, which keeps the process alive */
static void full_pipe(void **state)
{
    int tube[2], status;
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(tube), 0);
    pid = fork();
    if (pid == 0) {
        struct pulse p = {.name = "writer", .naps_max = 2};
        struct watchdog_conf conf = {{&p}, NAP, tube[1], _exit};
        struct watchdog *w;
        struct fail f;
        char page[4096] = "";

        for (int i = 0; i < 16; i++) /* the pipe holds 16 pages */
            if (write(tube[1], page, sizeof page) < 0) _exit(1);
        if (watchdog_new(&w, &conf, &f)) _exit(1);
        pulse_begin(&p);
        sleep(20);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
    close(tube[0]);
    close(tube[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bites),
        cmocka_unit_test(spares),
        cmocka_unit_test(full_pipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
