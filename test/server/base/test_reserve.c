/* test_reserve - messages for when memory is short. */
#include "server/base/reserve.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct letter {
    struct msg m;
    char text[1000];
};

/* catches: a message that is given twice, that is smaller than asked for or not all zero, and a
 * reserve that shrinks while there is memory */
static void each_is_fresh(void **state)
{
    static const char zero[sizeof((struct letter *)0)->text];
    struct reserve r = {.bytes = sizeof(struct letter)};
    struct letter *kept[3 * RESERVE_MESSAGES];

    (void)state;
    reserve_fill(&r);
    for (int i = 0; i < 3 * RESERVE_MESSAGES; i++) {
        kept[i] = reserve_take(&r);
        assert_null(kept[i]->m.next);
        assert_memory_equal(kept[i]->text, zero, sizeof zero);
        memset(kept[i]->text, i + 1, sizeof kept[i]->text);
    }
    for (int i = 0; i < 3 * RESERVE_MESSAGES; i++) {
        assert_int_equal(kept[i]->text[999], i + 1);
        free(kept[i]);
    }
    assert_int_equal(r.n, RESERVE_MESSAGES - 1);
    reserve_free(&r);
    assert_null(r.first);
}

/* No more memory, as far as calloc of so many bytes is concerned. */
static void use_up(size_t bytes)
{
    const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_AS, &none);
    while (malloc(bytes)) {}
}

/* Child: how many come without memory? And which words are its last? */
static void without_memory(int words)
{
    struct reserve r = {.bytes = sizeof(struct letter)};
    int n = 0;

    reserve_fill(&r);
    use_up(sizeof(struct letter));
    for (; n < RESERVE_MESSAGES; n++)
        if (!reserve_take(&r)) _exit(1);
    signal(SIGABRT, SIG_DFL);
    dup2(words, STDERR_FILENO);
    reserve_take(&r);
    _exit(2);
}

/* catches: fewer than are promised, and a NULL where the process must end, so that its service
 * manager starts it again */
static void some_are_there_without_memory(void **state)
{
    char words[256] = "";
    int status, pipes[2];
    pid_t child;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    child = fork();
    if (child == 0) without_memory(pipes[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(pipes[1]);
    assert_true(read(pipes[0], words, sizeof words - 1) >= 0);
    close(pipes[0]);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they end it themselves */
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(words, "no memory"));
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_fresh),
        cmocka_unit_test(some_are_there_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
