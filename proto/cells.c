/* cells - what is kept of each cell of a sweep. */
#include "proto/cells.h"

#include "proto/id.h"

#include <string.h>

void cells_write(const struct cell *cells, int n, struct text *out)
{
    char url[URL_TEXT];

    text_open(out, NULL, '[');
    for (int i = 0; i < n; i++) {
        text_open(out, NULL, '{');
        text_id(out, "job", cells[i].job);
        if (cells[i].state < 0) {
            text_real(out, "cost", cells[i].cost);
        } else {
            text_string(out, "state", event_state_name((enum event_state)cells[i].state));
            if (*cells[i].digest) {
                url_picture(cells[i].digest, url);
                text_string(out, "url", url);
            }
        }
        text_close(out, '}');
    }
    text_close(out, ']');
}

static bool read_cell(const json_t *v, struct cell *out)
{
    const char *job = json_string_value(json_object_get(v, "job"));
    const char *state = json_string_value(json_object_get(v, "state"));
    const char *url = json_string_value(json_object_get(v, "url"));
    double cost = json_number_value(json_object_get(v, "cost"));

    memset(out, 0, sizeof *out);
    out->cost = cost > 0 ? cost : 1;
    out->state = state ? event_state_parse(state) : -1;
    if (state && out->state < STATE_DONE) return false;
    if (url && !url_picture_parse(url, out->digest)) return false;
    return job && id_parse(job, &out->job);
}

int cells_parse(const char *json, struct cell out[LIMIT_CELLS])
{
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    size_t n = json_array_size(root);
    bool good = n >= 1 && n <= LIMIT_CELLS;

    for (size_t i = 0; good && i < n; i++)
        good = read_cell(json_array_get(root, i), &out[i]);
    json_decref(root);
    return good ? (int)n : -1;
}
