/* test_registry - jobs are found by id and by key, and the oldest ends are forgotten first. */
#include "server/core/registry.h"

#include "server/core/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct account ada = {.user.id = 1}, ben = {.user.id = 2};

static struct job *add(struct registry *s, uint64_t id, struct account *owner, const char *key)
{
    struct spec spec = {.prompt = NULL};
    struct job *j = job_new(id, owner, &spec, 0);

    assert_non_null(j);
    snprintf(j->key, sizeof j->key, "%s", key);
    j->order = s->newest ? s->newest->order + 1 : 1;
    registry_add(s, j);
    return j;
}

static void end(struct registry *s, struct job *j)
{
    job_move(j, MOVE_STORED);
    job_move(j, MOVE_END);
    job_move(j, MOVE_DONE);
    registry_over(s, j);
}

static struct job *insert(struct registry *s, uint64_t id, uint64_t order, const char *key)
{
    struct spec spec = {.prompt = NULL};
    struct job *j = job_new(id, &ada, &spec, 0);

    assert_non_null(j);
    snprintf(j->key, sizeof j->key, "%s", key);
    j->order = order;
    registry_insert(s, j);
    return j;
}

/* catches: one that comes back behind the wrong job, or takes the key of a newer one */
static void one_that_was_forgotten_has_its_old_place(void **state)
{
    struct registry *s = malloc(sizeof *s);
    struct job *newer;
    uint64_t order = 7;

    (void)state;
    assert_non_null(s);
    registry_init(s, 12345, 100);
    insert(s, 50, 5, "");
    newer = add(s, 60, &ada, "same"); /* order 6 */
    insert(s, 20, 2, "same");
    insert(s, 30, 3, "other");
    insert(s, 10, 1, "");
    insert(s, 40, 4, "");
    for (const struct job *j = s->newest; j; j = j->links.older) {
        assert_int_equal(j->order, --order);
        assert_ptr_equal(j->links.newer ? j->links.newer->links.older : s->newest, j);
        assert_ptr_equal(registry_find(s, j->id), j);
    }
    assert_int_equal(order, 1);
    assert_int_equal(s->oldest->order, 1);
    assert_ptr_equal(registry_find_key(s, &ada, "same"), newer);
    assert_int_equal(registry_find_key(s, &ada, "other")->id, 30);
    registry_drop(s, newer);
    assert_int_equal(registry_find_key(s, &ada, "same")->id, 20);
    registry_free(s);
    free(s);
}

/* catches: a broken chain after jobs left from its middle, a key that finds another's job */
static void found_by_id_and_key_after_others_left(void **state)
{
    struct registry *s = malloc(sizeof *s);
    char key[16];

    (void)state;
    assert_non_null(s);
    registry_init(s, 12345, 100);
    for (uint64_t i = 1; i <= 20000; i++) {
        snprintf(key, sizeof key, "k%llu", (unsigned long long)i);
        add(s, i, &ada, i % 3 ? key : "");
    }
    for (uint64_t i = 1; i <= 20000; i += 2)
        registry_drop(s, registry_find(s, i));
    assert_int_equal(s->n, 10000);
    for (uint64_t i = 1; i <= 20000; i++) {
        struct job *j = registry_find(s, i);

        snprintf(key, sizeof key, "k%llu", (unsigned long long)i);
        assert_true(i % 2 ? !j : j && j->id == i);
        assert_ptr_equal(registry_find_key(s, &ada, key), i % 3 ? j : NULL);
    }
    assert_null(registry_find_key(s, &ada, ""));
    for (struct job *j = s->newest; j && j->links.older; j = j->links.older)
        assert_true(j->order > j->links.older->order && j->links.older->links.newer == j);
    registry_free(s);
    assert_null(s->newest);
    free(s);
}

/* catches: a key that finds, or hides, the job of somebody else */
static void a_key_belongs_to_its_owner(void **state)
{
    struct registry *s = malloc(sizeof *s);
    struct job *a, *b;

    (void)state;
    assert_non_null(s);
    registry_init(s, 7, 100);
    a = add(s, 1, &ada, "k");
    assert_null(registry_find_key(s, &ben, "k"));
    b = add(s, 2, &ben, "k");
    assert_ptr_equal(registry_find_key(s, &ada, "k"), a);
    assert_ptr_equal(registry_find_key(s, &ben, "k"), b);
    registry_drop(s, a);
    assert_null(registry_find_key(s, &ada, "k"));
    assert_ptr_equal(registry_find_key(s, &ben, "k"), b);
    registry_free(s);
    free(s);
}

/* catches: a job that is forgotten before its end was read, or one that is kept for ever */
static void the_first_to_end_goes_first_but_not_unread(void **state)
{
    struct registry *s = malloc(sizeof *s);
    struct subscription v = {.seq = 0};
    struct job *j[6];

    (void)state;
    assert_non_null(s);
    registry_init(s, 1, 2);
    for (int i = 0; i < 6; i++)
        j[i] = add(s, (uint64_t)i + 1, &ada, "");
    j[3]->subscriptions = &v; /* has not read the end yet */
    end(s, j[3]);
    end(s, j[1]);
    end(s, j[0]);
    assert_null(registry_find(s, 2));
    assert_non_null(registry_find(s, 4));
    assert_non_null(registry_find(s, 1));
    j[3]->subscriptions = NULL;
    end(s, j[2]);
    assert_null(registry_find(s, 4));
    assert_non_null(registry_find(s, 1));
    j[2]->subscriptions = &v;
    end(s, j[5]);
    assert_null(registry_find(s, 1));
    end(s, j[4]);
    assert_null(registry_find(s, 6));
    assert_int_equal(s->n_over, 2);
    j[2]->subscriptions = NULL;
    registry_free(s);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_was_forgotten_has_its_old_place),
        cmocka_unit_test(found_by_id_and_key_after_others_left),
        cmocka_unit_test(a_key_belongs_to_its_owner),
        cmocka_unit_test(the_first_to_end_goes_first_but_not_unread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
