/* flow - schedule and sinusoids. */
#include "kernels/model/flow.h"

#include <math.h>

double flow_mu(const struct flow_config *c, int64_t patches)
{
    return sqrt((double)patches / (double)c->base_len) * c->max_shift + c->base_shift;
}

/* linspace(train_steps, 1, steps + 1)[i], truncated: the order of these operations decides 222 or
 * 223. */
static float timestep_at(const struct flow_config *c, int steps, int i)
{
    double first = (double)c->train_steps, step = (1.0 - first) / (double)steps;

    return (float)(int64_t)((double)i * step + first);
}

void flow_schedule(const struct flow_config *c, int64_t patches, int steps, float *timestep,
                   float *sigma)
{
    float mu = (float)flow_mu(c, patches);

    for (int i = 0; i < steps; i++) {
        float s, odds;

        timestep[i] = timestep_at(c, steps, i);
        s = timestep[i] / (float)c->train_steps;
        odds = 1.0f / s - 1.0f;
        sigma[i] = mu / (mu + odds);
    }
    sigma[steps] = 0.0f;
}

void flow_sinusoid(float *out, int n, float v)
{
    int half = n / 2;
    float log_base = -(float)log((double)CONFIG_DIT_THETA);

    for (int i = 0; i < half; i++) {
        float e = log_base * (float)i / (float)half;
        float angle = v * (float)exp((double)e);

        out[i] = (float)cos((double)angle);
        out[half + i] = (float)sin((double)angle);
    }
    if (n % 2) out[n - 1] = 0.0f;
}

void flow_size_sinusoid(float *out, int n, int height, int width)
{
    flow_sinusoid(out, n, 0.0f);
    flow_sinusoid(out + n, n, 0.0f);
    flow_sinusoid(out + 2 * n, n, (float)height);
    flow_sinusoid(out + 3 * n, n, (float)width);
}
