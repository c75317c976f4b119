/* test_command - what clients send: accepted messages, and every way to get one wrong. */
#include "proto/command.h"

#include "proto/answer.h"
#include "proto/id.h"
#include "test/proto/vectors.h"

/* Which finished pictures a list is to have. */
static void describe_search(const struct command_search *s, struct text *t)
{
    text_bool(t, "results", true);
    if (*s->words) text_string(t, "search", s->words);
    if (s->width) text_int(t, "width", s->width);
    if (s->height) text_int(t, "height", s->height);
    if (s->from_ms > 0) text_int(t, "from_ms", (int64_t)s->from_ms);
    if (s->until_ms > 0) text_int(t, "until_ms", (int64_t)s->until_ms);
    if (s->favourite) text_bool(t, "favourite", true);
    if (s->skip) text_int(t, "skip", s->skip);
}

static void describe_image(const struct command *c, struct text *t)
{
    static const uint8_t none[SPEC_DIGEST_BYTES];
    char digest[SPEC_DIGEST_TEXT];

    if (memcmp(c->image, none, sizeof none) == 0) return;
    spec_digest_text(c->image, digest);
    text_string(t, "image", digest);
}

/* What a command means, as the vectors' `expect` says it. */
static void describe(const struct command *c, const json_t *expect, struct text *t)
{
    text_open(t, NULL, '{');
    text_string(t, "kind", command_kind_name((enum command_kind)c->kind));
    if (*c->ref) text_string(t, "ref", c->ref);
    if (*c->key) text_string(t, "key", c->key);
    if (c->kind == COMMAND_SUBMIT) text_bool(t, "watch", c->watch);
    if (c->job) text_id(t, "job", c->job);
    if (c->kind == COMMAND_WATCH || c->kind == COMMAND_LOG) text_int(t, "seq", (int64_t)c->seq);
    if (c->kind == COMMAND_STATS || c->kind == COMMAND_FAVOURITE) text_bool(t, "on", c->on);
    if (c->state >= 0) text_string(t, "state", event_state_name((enum event_state)c->state));
    if (c->max_wait_ms) text_int(t, "max_wait_ms", c->max_wait_ms);
    if (c->hold) text_bool(t, "hold", true);
    if (*c->webhook) text_string(t, "webhook", c->webhook);
    if (c->fresh) text_bool(t, "fresh", true);
    if (c->private) text_bool(t, "private", true);
    if (c->kind == COMMAND_DRAIN && !c->undo) text_int(t, "deadline_ms", c->deadline_ms);
    if (c->undo) text_bool(t, "cancel", true);
    if (*c->text) text_string(t, "text", c->text);
    if (c->set.concurrency >= 0) text_int(t, "concurrency", c->set.concurrency);
    if (c->set.queue >= 0) text_int(t, "queue", c->set.queue);
    if (c->set.job_seconds >= 0) text_int(t, "job_seconds", c->set.job_seconds);
    if (c->kind == COMMAND_AMEND || c->unwatched_ms) text_int(t, "unwatched_ms", c->unwatched_ms);
    if (c->all) text_bool(t, "all", true);
    if (*c->user) text_string(t, "user", c->user);
    if (c->kind == COMMAND_LIST || c->kind == COMMAND_LOG) text_int(t, "limit", c->limit);
    if (c->shared) text_bool(t, "shared", true);
    if (c->results) describe_search(&c->search, t);
    if (c->kind == COMMAND_SHARE) text_int(t, "ttl_s", c->ttl_s);
    if (c->before) text_id(t, "before", c->before);
    if (c->parent) text_id(t, "parent", c->parent);
    if (c->upload) text_id(t, "upload", c->upload);
    if (c->bytes) text_int(t, "bytes", c->bytes);
    describe_image(c, t);
    if (c->sweep.cells) {
        sweep_write(&c->sweep, &c->spec, t, "sweep");
        text_int(t, "cells", c->sweep.cells);
    }
    if (c->kind == COMMAND_PREVIEWS) {
        text_int(t, "every_ms", c->previews.every_ms);
        text_int(t, "max_px", c->previews.max_px);
        text_string(t, "format", frame_format_name(c->previews.format));
    }
    if (json_object_get(expect, "prompt_bytes"))
        text_int(t, "prompt_bytes", (int64_t)strlen(c->spec.prompt));
    else if (c->spec.prompt)
        spec_write(&c->spec, t, "spec");
    text_close(t, '}');
}

/* catches: a member that is lost, a wrong default, a kind without an example */
static void accepted(void **state)
{
    struct spec_limits l = vectors_limits();
    json_t *root = vectors_load("client.json"), *v;
    unsigned kinds = 0;
    size_t i, len;

    (void)state;
    json_array_foreach(json_object_get(root, "cases"), i, v)
    {
        char *bytes = vectors_bytes(v, &len);
        const json_t *expect = json_object_get(v, "expect");
        struct command c;
        struct fail f;
        struct text t;
        json_t *got;

        if (command_decode(bytes, len, &l, &c, &f))
            fail_msg("%s: %s", vectors_string(v, "name"), f.message);
        kinds |= 1u << c.kind;
        text_init(&t, 0, 100000);
        describe(&c, expect, &t);
        got = json_loads(t.at, JSON_DECODE_INT_AS_REAL, NULL);
        if (!json_equal(got, expect)) fail_msg("%s: %s", vectors_string(v, "name"), t.at);
        json_decref(got);
        text_free(&t);
        command_free(&c);
        free(bytes);
    }
    assert_int_equal(kinds, (1u << COMMAND_KINDS) - 1);
    json_decref(root);
}

/* The error message that a client gets for c and f must itself be valid and tell the same. */
static void expect_error(const json_t *v, const struct command *c, const struct fail *f)
{
    struct text t;
    const char *members[] = {"code", "field", "ref", "re", "job"};
    json_t *e;

    text_init(&t, 0, 10000);
    answer_error(c->ref, c->kind, c->job, f, &t);
    e = text_parse(t.at, t.len, 10000, NULL);
    assert_non_null(e);
    for (int i = 0; i < 5; i++)
        if (strcmp(vectors_string(e, members[i]), vectors_string(v, members[i])) != 0)
            fail_msg("%s: wanted %s \"%s\", got %s", vectors_string(v, "name"), members[i],
                     vectors_string(v, members[i]), t.at);
    assert_true(strlen(vectors_string(e, "message")) > 5);
    assert_true(strlen(vectors_string(e, "hint")) > 5);
    json_decref(e);
    text_free(&t);
}

/* catches: a bad message that gets through, or an error without code, field, ref or advice */
static void refused(void **state)
{
    struct spec_limits l = vectors_limits();
    json_t *root = vectors_load("invalid.json"), *v;
    size_t i, len;

    (void)state;
    json_array_foreach(json_object_get(root, "cases"), i, v)
    {
        char *bytes = vectors_bytes(v, &len);
        struct command c;
        struct fail f;
        int err = command_decode(bytes, len, &l, &c, &f);

        if (err == 0) fail_msg("%s: accepted", vectors_string(v, "name"));
        assert_int_equal(err, f.code);
        assert_null(c.spec.prompt);
        assert_null(c.sweep.value);
        expect_error(v, &c, &f);
        assert_int_equal(command_decode(bytes, len, &l, &c, NULL), err);
        free(bytes);
    }
    assert_true(i >= 60);
    json_decref(root);
}

/* catches: reading beyond a message that was cut anywhere (under ASan), or accepting it */
static void every_prefix_is_refused(void **state)
{
    struct spec_limits l = vectors_limits();
    const char *text = "{\"type\":\"submit\",\"ref\":\"r\",\"key\":\"k\",\"spec\":{\"prompt\":"
                       "\"\\u7ea2\\ud83d\\udd34 \xe7\xba\xa2\",\"width\":256,\"guidance\":1.5e0}}";

    (void)state;
    for (size_t n = 0; n <= strlen(text); n++) {
        char *exact = malloc(n ? n : 1);
        struct command c;

        assert_non_null(exact);
        memcpy(exact, text, n);
        assert_int_equal(command_decode(exact, n, &l, &c, NULL) == 0, n == strlen(text));
        command_free(&c);
        free(exact);
    }
}

/* catches: a prompt beside spec whose error does not tell where it belongs */
static void misplaced(void **state)
{
    struct spec_limits l = vectors_limits();
    const char *text = "{\"type\":\"submit\",\"prompt\":\"a tree\"}";
    struct command c;
    struct fail f;

    (void)state;
    assert_int_equal(command_decode(text, strlen(text), &l, &c, &f), ERR_BAD_FIELD);
    assert_string_equal(f.hint, "It is a field of spec: write \"spec\": {\"prompt\": ..}.");
    text = "{\"type\":\"list\",\"prompt\":\"a tree\"}";
    assert_int_equal(command_decode(text, strlen(text), &l, &c, &f), ERR_BAD_FIELD);
    assert_non_null(strstr(f.hint, "Its members are"));
}

/* catches: a member that an encoding without objects would write in another way than it is read */
static void members_by_name(void **state)
{
    (void)state;
    assert_true(command_has(COMMAND_LIST, "limit") && !command_needs(COMMAND_LIST, "limit"));
    assert_true(command_needs(COMMAND_HOLD, "job") && command_text("job"));
    assert_false(command_has(COMMAND_PING, "job") || command_has(COMMAND_LIST, "nonsense"));
    assert_false(command_text("limit") || command_text("nonsense"));
    assert_true(command_connection(COMMAND_WATCH) && command_connection(COMMAND_PREVIEWS));
    assert_false(command_connection(COMMAND_SUBMIT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted),
        cmocka_unit_test(refused),
        cmocka_unit_test(every_prefix_is_refused),
        cmocka_unit_test(misplaced),
        cmocka_unit_test(members_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
