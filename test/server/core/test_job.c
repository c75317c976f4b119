/* test_job - the table of moves, row by row. */
#include "server/core/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* catches: a way out of a terminal state, a second way into one, a state that leads nowhere */
static void the_table_allows_what_the_drawing_shows(void **state)
{
    int legal = 0;

    (void)state;
    for (int s = 0; s < JOB_STATES; s++) {
        int out = 0;

        for (int m = 0; m < JOB_MOVES; m++) {
            int to = job_next((enum job_state)s, (enum job_move)m);

            assert_true(to >= -1 && to < JOB_STATES);
            out += to >= 0;
            if (to >= JOB_DONE) assert_int_equal(s, JOB_ENDING);
        }
        legal += out;
        assert_true(s >= JOB_DONE ? out == 0 : out > 0);
    }
    assert_int_equal(legal, 12);
    assert_int_equal(job_next(JOB_ADMIT, MOVE_STORED), JOB_QUEUED);
    assert_int_equal(job_next(JOB_QUEUED, MOVE_START), JOB_RUNNING);
    assert_int_equal(job_next(JOB_RUNNING, MOVE_REQUEUE), JOB_QUEUED);
    assert_int_equal(job_next(JOB_RUNNING, MOVE_FINISHED), JOB_SAVING);
    assert_int_equal(job_next(JOB_SAVING, MOVE_REQUEUE), JOB_QUEUED);
    assert_int_equal(job_next(JOB_QUEUED, MOVE_FINISHED), JOB_SAVING);
    assert_int_equal(job_next(JOB_SAVING, MOVE_END), JOB_ENDING);
    assert_int_equal(job_next(JOB_ENDING, MOVE_CANCELLED), JOB_CANCELLED);
    assert_int_equal(job_next(JOB_ADMIT, MOVE_START), -1);
    assert_int_equal(job_next(JOB_ENDING, MOVE_REQUEUE), -1);
}

/* catches: a refused move that changes the state; an ending job that looks like something else */
static void an_ending_job_looks_as_it_did(void **state)
{
    struct spec spec = {.prompt = strdup("x"), .width = 64};
    struct job *j = job_new(7, NULL, &spec, 0);

    (void)state;
    assert_non_null(j);
    assert_null(spec.prompt); /* taken */
    assert_int_equal(job_move(j, MOVE_START), ERR_CONFLICT);
    assert_int_equal(j->state, JOB_ADMIT);
    assert_int_equal(job_move(j, MOVE_STORED), 0);
    assert_int_equal(job_public(j), STATE_QUEUED);
    assert_int_equal(job_move(j, MOVE_END), 0);
    assert_int_equal(job_public(j), STATE_QUEUED);
    assert_false(job_over(j));
    assert_int_equal(job_move(j, MOVE_FAILED), 0);
    assert_int_equal(job_public(j), STATE_FAILED);
    assert_true(job_over(j));
    assert_string_equal(job_state_name(j->state), "failed");
    job_free(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_allows_what_the_drawing_shows),
        cmocka_unit_test(an_ending_job_looks_as_it_did),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
