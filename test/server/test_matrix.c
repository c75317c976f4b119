/* test_matrix - the matrix of who may do what has a row for every message and every route. */
#include "proto/command.h"
#include "server/http/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static json_t *matrix;

static int load(void **state)
{
    (void)state;
    matrix = json_load_file("test/e2e/matrix.json", JSON_REJECT_DUPLICATES, NULL);
    return matrix ? 0 : -1; /* tests run in the repository's root */
}

static int unload(void **state)
{
    (void)state;
    json_decref(matrix);
    return 0;
}

static bool is(const json_t *row, const char *member, const char *value)
{
    const char *text = json_string_value(json_object_get(row, member));

    return text && strcmp(text, value) == 0;
}

/* Is there a row whose two members are these? b: NULL for one member alone. */
static bool covered(const char *list, const char *a, const char *a_value, const char *b,
                    const char *b_value)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(matrix, list), i, row)
    {
        if (is(row, a, a_value) && (!b || is(row, b, b_value))) return true;
    }
    return false;
}

/* catches: a message whose rights nobody has thought about */
static void every_message_has_a_row(void **state)
{
    (void)state;
    for (int i = 0; i < COMMAND_KINDS; i++) {
        const char *name = command_kind_name((enum command_kind)i);

        if (!covered("messages", "message", name, NULL, NULL))
            fail_msg("test/e2e/matrix.json has no row for the message %s", name);
    }
    assert_false(covered("messages", "message", "nonsense", NULL, NULL));
}

/* catches: the same for a route, or for one of its methods */
static void every_route_has_a_row(void **state)
{
    int rows = 0;

    (void)state;
    for (const struct http_route *r = HTTP_ROUTES; r->path; r++) {
        char methods[64], *rest = methods;

        snprintf(methods, sizeof methods, "%s", r->methods);
        for (char *m; (m = strtok_r(NULL, ", ", &rest)); rows++)
            if (!covered("routes", "route", r->path, "method", m))
                fail_msg("test/e2e/matrix.json has no row for %s %s", m, r->path);
    }
    assert_in_range(rows, 10, 1000);
    assert_false(covered("routes", "route", "/healthz", "method", "PATCH"));
}

static void expect_actors(const char *list, const char *const *actors)
{
    const json_t *row;
    size_t i;

    json_array_foreach(json_object_get(matrix, list), i, row)
    {
        for (const char *const *a = actors; *a; a++)
            if (!json_object_get(row, *a)) fail_msg("%s: row %zu lacks %s", list, i, *a);
    }
}

/* catches: a row that leaves somebody out */
static void every_row_has_every_actor(void **state)
{
    const char *const users[] = {"stranger", "guest", "viewer", "ada", "ben", "admin", NULL};
    const char *const all[] = {"local", "stranger", "guest", "viewer", "ada", "ben", "admin", NULL};

    (void)state;
    expect_actors("messages", users);
    expect_actors("routes", all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_message_has_a_row),
                                       cmocka_unit_test(every_route_has_a_row),
                                       cmocka_unit_test(every_row_has_every_actor)};

    return cmocka_run_group_tests(tests, load, unload);
}
