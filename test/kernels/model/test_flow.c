/* test_flow - the schedule and the sinusoids, against values of the reference. */
#include "kernels/model/flow.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct flow_config CONFIG = {
    .train_steps = 1000, .base_shift = 0.25, .max_shift = 0.75, .base_len = 256};

static void schedule_of(int side, int steps, float *timestep, float *sigma)
{
    flow_schedule(&CONFIG, (int64_t)(side / 16) * (side / 16), steps, timestep, sigma);
}

/* catches: another order of the double operations, which gives 223 for 222 */
static void timesteps_are_truncated_like_the_reference(void **state)
{
    float t[LIMIT_STEPS_MAX + 100], s[LIMIT_STEPS_MAX + 101];

    (void)state;
    schedule_of(1024, 50, t, s);
    for (int i = 0; i < 50; i++)
        assert_true(t[i] == (float)(1000 - 20 * i));
    schedule_of(1024, 99, t, s);
    assert_true(t[77] == 222.0f && t[88] == 111.0f);
    schedule_of(1024, 225, t, s);
    assert_true(t[150] == 333.0f);
    schedule_of(1024, 185, t, s);
    assert_true(t[165] == 108.0f);
}

/* catches: an unshifted sigma, a shift by the wrong number of patches, a rounding elsewhere */
static void sigmas_are_shifted_by_size(void **state)
{
    const struct {
        int side;
        float first[4], middle[3], last[3];
    } want[] = {
        {512,
         {1, 0.988472641f, 0.976744115f, 0.964809418f},
         {0.654676199f, 0.636363626f, 0.617647052f},
         {0.100478463f, 0.067961164f, 0.034482758f}},
        {1024,
         {1, 0.993759751f, 0.987341762f, 0.980738342f},
         {0.778801799f, 0.764705896f, 0.750000000f},
         {0.171806157f, 0.119266056f, 0.062200956f}},
        {2048,
         {1, 0.996745348f, 0.993377447f, 0.989890456f},
         {0.871313632f, 0.862068951f, 0.852272689f},
         {0.285171092f, 0.206611574f, 0.113122173f}},
    };
    float t[50], s[51];

    (void)state;
    for (int k = 0; k < 3; k++) {
        schedule_of(want[k].side, 50, t, s);
        for (int i = 0; i < 4; i++)
            assert_true(s[i] == want[k].first[i]);
        for (int i = 0; i < 3; i++) {
            assert_true(s[24 + i] == want[k].middle[i]);
            assert_true(s[47 + i] == want[k].last[i]);
        }
        assert_true(s[50] == 0.0f);
    }
    assert_true(fabs(flow_mu(&CONFIG, 72 * 48) - 3.0056760) < 1e-7);
}

/* catches: sines first, an angle in double, another base */
static void sinusoids_have_cosines_first(void **state)
{
    float v[8], size[4 * 6], one[6];
    const float part[4] = {0, 0, 64, 96}; /* crop, then height before width */

    (void)state;
    flow_sinusoid(v, 8, 999.0f);
    for (int i = 0; i < 4; i++) {
        float angle = 999.0f * (float)exp((double)(-9.21034049987793f * (float)i / 4.0f));

        assert_true(v[i] == (float)cos((double)angle));
        assert_true(v[4 + i] == (float)sin((double)angle));
    }
    flow_size_sinusoid(size, 6, 64, 96);
    for (int k = 0; k < 4; k++) {
        flow_sinusoid(one, 6, part[k]);
        for (int i = 0; i < 6; i++)
            assert_true(size[6 * k + i] == one[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timesteps_are_truncated_like_the_reference),
        cmocka_unit_test(sigmas_are_shifted_by_size),
        cmocka_unit_test(sinusoids_have_cosines_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
