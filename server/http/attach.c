/* attach - answers to uploads come in any order before the job is submitted; `ref` says whose. */
#include "server/http/attach.h"

#include "server/http/lift.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char REF[] = "image-";

static int too_many(const char *field, struct fail *f)
{
    fail_field(f, ERR_BAD_FIELD, field, "%s has more than %d pictures", field, LIMIT_IMAGES);
    return fail_advise(f, "Send at most %d.", LIMIT_IMAGES);
}

int attach_file(struct exchange *x, struct attach *a, const char *field, const void *bytes,
                size_t len, struct fail *f)
{
    char ref[16];

    if (a->n == LIMIT_IMAGES) return too_many(field, f);
    snprintf(ref, sizeof ref, "%s%d", REF, a->n++);
    exchange_upload(x, ref, bytes, len, false);
    return 0;
}

/* ".../i/DIGEST.png", or ".../v1/images/DIGEST" */
static bool take_address(struct attach *a, const char *text)
{
    const char *last = strrchr(text, '/');
    char word[SPEC_DIGEST_TEXT];
    uint8_t digest[SPEC_DIGEST_BYTES];

    snprintf(word, sizeof word, "%.64s", last ? last + 1 : text);
    if (!spec_digest_parse(word, digest)) return false;
    memcpy(a->digest[a->n++], word, sizeof word);
    a->kept++;
    return true;
}

/* What stands behind "data:..;base64,"; all of it where there is no such head. */
static const char *payload(const char *text)
{
    const char *comma = strncmp(text, "data:", 5) == 0 ? strchr(text, ',') : NULL;

    return comma ? comma + 1 : text;
}

static int no_picture(const char *field, struct fail *f)
{
    fail_field(f, ERR_BAD_FIELD, field, "%s is no picture in base64", field);
    return fail_advise(f, "Send \"data:image/png;base64,..\", or the address of a picture of "
                          "this server.");
}

bool attach_given(const struct exchange *x, const json_t *v)
{
    return json_is_string(v) || lift_find(exchange_lift(x), v);
}

int attach_value(struct exchange *x, struct attach *a, const char *field, const json_t *v,
                 struct fail *f)
{
    const struct lifted *l = lift_find(exchange_lift(x), v);

    if (!l) return attach_text(x, a, field, json_is_string(v) ? json_string_value(v) : "", f);
    if (!lift_good(l)) return no_picture(field, f);
    return attach_file(x, a, field, l->bytes, l->len, f);
}

int attach_text(struct exchange *x, struct attach *a, const char *field, const char *text,
                struct fail *f)
{
    const char *from = payload(text);
    size_t room = strlen(from) / 4 * 3 + 3, len = 0;
    uint8_t *bytes;
    int err;

    if (a->n == LIMIT_IMAGES) return too_many(field, f);
    if (strlen(text) < 512 && take_address(a, text)) return 0;
    bytes = malloc(room);
    if (!bytes) return fail_set(f, ERR_OUT_OF_MEMORY, "No memory for the picture");
    if (sodium_base642bin(bytes, room, from, strlen(from), " \r\n", &len, NULL,
                          sodium_base64_VARIANT_ORIGINAL)
            == 0
        && len > 0) {
        err = attach_file(x, a, field, bytes, len, f);
    } else {
        err = no_picture(field, f);
    }
    free(bytes);
    return err;
}

void attach_take(struct attach *a, const json_t *o)
{
    const char *ref = json_string_value(json_object_get(o, "ref")),
               *digest = json_string_value(json_object_get(o, "digest"));
    int i = ref && strncmp(ref, REF, sizeof REF - 1) == 0 ? ref[sizeof REF - 1] - '0' : -1;

    if (!digest || i < 0 || i >= a->n || *a->digest[i]) return;
    snprintf(a->digest[i], sizeof a->digest[i], "%s", digest);
    a->kept++;
}

void attach_put(const struct attach *a, json_t *spec)
{
    json_t *list = json_array();

    for (int i = 0; i < a->n; i++)
        json_array_append_new(list, json_string(a->digest[i]));
    if (a->n) json_object_set(spec, "images", list);
    json_decref(list);
}
