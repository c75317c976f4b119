/* test_guests - a shared job is seen by its guests, and nothing else is; until the share ends. */
#include "test/sim/listener.h"

#include "proto/command.h"

struct stage {
    struct world *w;
    struct listener *ada, *ben, *admin, *guest;
};

static struct stage stage_new(void)
{
    struct stage s = {.w = ready_world()};

    world_user(s.w, "ada", ROLE_USER);
    world_user(s.w, "ben", ROLE_USER);
    world_user(s.w, "root", ROLE_ADMIN);
    s.ada = listener_of(s.w, 1);
    s.ben = listener_of(s.w, 2);
    s.admin = listener_of(s.w, 3);
    return s;
}

static void stage_free(struct stage *s)
{
    if (s->guest) listener_free(s->w, s->guest);
    listener_free(s->w, s->ada);
    listener_free(s->w, s->ben);
    listener_free(s->w, s->admin);
    world_free(s->w);
}

static uint64_t submit(struct stage *s, struct listener *of, const char *more)
{
    command(s->w, of, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"a secret\",\"width\":96}%s}",
            more);
    store_all(s->w);
    return newest(s->w);
}

static const char *ask(struct stage *s, struct listener *e, const char *type, uint64_t job)
{
    command(s->w, e, "{\"type\":\"%s\",\"job\":\"%s\"}", type, hex(job));
    store_all(s->w);
    listen_all(s->w, e);
    return e->text;
}

static const char *list(struct stage *s, struct listener *e, const char *more)
{
    command(s->w, e, "{\"type\":\"list\"%s}", more);
    listen_all(s->w, e);
    return e->text;
}

#define ANSWERS(text, what) assert_true(count(text, what) > 0)

static const struct job *job_of(const struct stage *s, uint64_t id)
{
    return registry_find(&s->w->hub->registry, id);
}

static struct listener *guest_of(struct stage *s, uint64_t job)
{
    struct listener *e = calloc(1, sizeof *e);

    assert_non_null(e);
    e->client = hub_open_guest(s->w->hub, e, job);
    assert_non_null(e->client);
    return e;
}

/* Whether the secret that the job is shared with now shows it. */
static bool shown(const struct stage *s, uint64_t job)
{
    uint8_t hash[SHARE_HASH_BYTES];
    uint64_t mark = 0;

    memcpy(hash, job_of(s, job)->guests.hash, sizeof hash);
    if (hub_shared(s->w->hub, s->w->now, hash, &mark) != job) return false;
    assert_true(hub_shares(s->w->hub, job, mark));
    hash[SHARE_HASH_BYTES - 1] ^= 1;
    assert_int_equal(hub_shared(s->w->hub, s->w->now, hash, &mark), 0);
    return true;
}

/* catches: a guest that sees another job, that does not see its own, or that is told a key */
static void a_guest_sees_one_job(void **state)
{
    struct stage s = stage_new();
    uint64_t other = submit(&s, s.ada, ""), job = submit(&s, s.ada, ",\"key\":\"k1\"");

    (void)state;
    ANSWERS(ask(&s, s.ada, "share", job), "\"token\":\"drs_");
    s.guest = guest_of(&s, job);
    ANSWERS(list(&s, s.guest, ""), hex(job));
    NOT_HEARD(s.guest, hex(other));
    NOT_HEARD(s.guest, "k1");
    NOT_HEARD(s.guest, "shared_until_ms");
    ANSWERS(ask(&s, s.guest, "job", job), "a secret");
    ANSWERS(ask(&s, s.guest, "job", other), "not_found");
    ANSWERS(ask(&s, s.guest, "watch", other), "not_found");
    ANSWERS(ask(&s, s.guest, "watch", job), "\"type\":\"ok\"");
    go_on(s.w, 60);
    listen_all(s.w, s.guest);
    HEARD(s.guest, "\"type\":\"result\"");
    NOT_HEARD(s.guest, hex(other));
    assert_true(hub_pictures(s.w->hub, job, job_of(&s, job)->end.digest));
    assert_false(hub_pictures(s.w->hub, other, job_of(&s, other)->end.digest));
    assert_false(hub_pictures(s.w->hub, job, ""));
    assert_int_equal(count(list(&s, s.ada, ",\"shared\":true"), "shared_until_ms"), 1);
    HEARD(s.ada, hex(job));
    assert_int_equal(count(list(&s, s.ben, ",\"shared\":true"), "shared_until_ms"), 0);
    stage_free(&s);
}

/* catches: a guest that commands something, or hears of others' jobs by statistics or notices */
static void a_guest_commands_nothing(void **state)
{
    static const char *const MAY[] = {"watch", "unwatch", "list", "job", "previews", "ping"};
    struct stage s = stage_new();
    uint64_t job = submit(&s, s.ada, "");
    int refused = 0;

    (void)state;
    ask(&s, s.ada, "share", job);
    s.guest = guest_of(&s, job);
    for (int k = 0; k < COMMAND_KINDS; k++) {
        const char *name = command_kind_name((enum command_kind)k);
        bool may = false;

        for (int i = 0; i < 6; i++)
            may |= strcmp(name, MAY[i]) == 0;
        if (may) continue;
        command(s.w, s.guest, "{\"type\":\"%s\"%s%s%s%s}", name,
                command_needs((enum command_kind)k, "job") ? ",\"job\":\"" : "",
                command_needs((enum command_kind)k, "job") ? hex(job) : "",
                command_needs((enum command_kind)k, "job") ? "\"" : "",
                k == COMMAND_SUBMIT || k == COMMAND_QUOTE     ? ",\"spec\":{\"prompt\":\"x\"}"
                : k == COMMAND_REORDER                        ? ",\"before\":null"
                : k == COMMAND_AMEND                          ? ",\"on_disconnect\":\"keep\""
                : k == COMMAND_CANCEL                         ? ",\"all\":true"
                : k == COMMAND_DRAIN                          ? ",\"cancel\":true"
                : k == COMMAND_NOTICE                         ? ",\"text\":\"x\""
                : k == COMMAND_UPLOAD                         ? ",\"bytes\":5"
                : k == COMMAND_COMMIT || k == COMMAND_DISCARD ? ",\"upload\":\"58e30ebaadd531f6\""
                                                              : "");
        listen_all(s.w, s.guest);
        if (!count(s.guest->text, "\"code\":\"unauthorized\"")) fail_msg("%s", s.guest->text);
        refused++;
    }
    assert_int_equal(refused, COMMAND_KINDS - 6);
    command(s.w, s.admin, "{\"type\":\"notice\",\"text\":\"for users\"}");
    listen_all(s.w, s.guest);
    NOT_HEARD(s.guest, "for users");
    go_on(s.w, 60);
    assert_int_equal(job_of(&s, job)->state, JOB_DONE);
    stage_free(&s);
}

/* catches: a sweep whose cells its guests do not see; a guest of one cell who sees the others */
static void cells_are_shared_with_their_sweep(void **state)
{
    struct stage s = stage_new();
    const struct job *sweep;
    uint64_t parent, first, second;

    (void)state;
    command(s.w, s.ada,
            "{\"type\":\"submit\",\"spec\":{\"prompt\":\"a secret\",\"width\":96},\"n\":2}");
    store_all(s.w);
    sweep = s.w->hub->sweeps;
    assert_non_null(sweep);
    parent = sweep->id;
    first = sweep->sweep->cell[0].kept.job;
    second = sweep->sweep->cell[1].kept.job;
    ask(&s, s.ada, "share", parent);
    s.guest = guest_of(&s, parent);
    ANSWERS(ask(&s, s.guest, "job", second), "a secret");
    go_on(s.w, 80);
    assert_int_equal(job_of(&s, second)->state, JOB_DONE);
    assert_true(hub_pictures(s.w->hub, parent, job_of(&s, second)->end.digest));
    ask(&s, s.ada, "unshare", parent);
    assert_false(hub_pictures(s.w->hub, parent, job_of(&s, second)->end.digest));
    ANSWERS(ask(&s, s.guest, "job", second), "not_found");
    listener_free(s.w, s.guest);
    ask(&s, s.ada, "share", first);
    s.guest = guest_of(&s, first);
    ANSWERS(list(&s, s.guest, ""), hex(first));
    NOT_HEARD(s.guest, hex(second));
    ANSWERS(ask(&s, s.guest, "job", second), "not_found");
    ANSWERS(ask(&s, s.guest, "job", parent), "not_found");
    stage_free(&s);
}

/* catches: a share of who does not own the job, of a private job */
static void its_owner_alone_shares_a_job(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, s.ada, ""), private = submit(&s, s.ada, ",\"private\":true");

    (void)state;
    ANSWERS(ask(&s, s.ben, "share", job), "not_found");
    ANSWERS(ask(&s, s.admin, "share", job), "forbidden");
    ANSWERS(ask(&s, s.ada, "share", private), "conflict");
    assert_int_equal(job_of(&s, job)->guests.until_ms, 0);
    assert_null(hub_open_guest(s.w->hub, &s, job));
    ANSWERS(ask(&s, s.ada, "share", job), "drs_");
    ANSWERS(ask(&s, s.ben, "unshare", job), "not_found");
    assert_true(shown(&s, job));
    ANSWERS(ask(&s, s.admin, "unshare", job), "\"re\":\"unshare\"");
    assert_false(shown(&s, job));
    stage_free(&s);
}

static void without_users_nothing_is_shared(void **state)
{
    struct world *w = ready_world();
    struct listener *e = listener_new(w);

    (void)state;
    command(w, e, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":96}}");
    store_all(w);
    command(w, e, "{\"type\":\"share\",\"job\":\"%s\"}", hex(newest(w)));
    listen_all(w, e);
    HEARD(e, "\"code\":\"conflict\"");
    NOT_HEARD(e, "drs_");
    listener_free(w, e);
    world_free(w);
}

/* The guest hears no more of the job, and its secret shows nothing. */
static void expect_ended(struct stage *s, uint64_t job, uint64_t mark)
{
    assert_false(shown(s, job));
    assert_false(hub_shares(s->w->hub, job, mark));
    assert_int_equal(job_of(s, job)->guests.until_ms, 0);
    assert_null(s->guest->client->subscriptions);
    ANSWERS(ask(s, s->guest, "watch", job), "not_found");
    ANSWERS(list(s, s->guest, ""), "\"jobs\":[]");
    assert_int_equal(truth_of(s->w, job)->disk->row.shared_ms, 0);
}

static uint64_t mark_of(const struct stage *s, uint64_t job)
{
    uint64_t mark = 0;

    hub_shared(s->w->hub, s->w->now, job_of(s, job)->guests.hash, &mark);
    return mark;
}

/* Shared, and watched by a guest. */
static uint64_t share(struct stage *s, uint64_t job, const char *more)
{
    command(s->w, s->ada, "{\"type\":\"share\",\"job\":\"%s\"%s}", hex(job), more);
    store_all(s->w);
    listen_all(s->w, s->ada);
    assert_true(shown(s, job));
    s->guest = guest_of(s, job);
    ANSWERS(ask(s, s->guest, "watch", job), "\"type\":\"ok\"");
    return mark_of(s, job);
}

/* catches: a guest that goes on watching when its share has ended, in each way that it can */
static void a_share_ends(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, s.ada, ",\"hold\":true"), mark = share(&s, job, "");

    (void)state;
    ask(&s, s.ada, "unshare", job);
    expect_ended(&s, job, mark);
    listener_free(s.w, s.guest);

    mark = share(&s, job, "");
    ask(&s, s.ada, "share", job); /* another secret */
    assert_false(hub_shares(s.w->hub, job, mark));
    assert_null(s.guest->client->subscriptions);
    listener_free(s.w, s.guest);

    mark = share(&s, job, ",\"ttl_s\":60");
    assert_true(hub_due(s.w->hub) <= s.w->now + 60000000);
    s.w->now += 59000000;
    hub_tick(s.w->hub, s.w->now);
    assert_true(shown(&s, job));
    s.w->now += 1000000;
    hub_tick(s.w->hub, s.w->now);
    expect_ended(&s, job, mark);
    listener_free(s.w, s.guest);

    mark = share(&s, job, "");
    assert_int_equal(hub_users(s.w->hub, s.w->now, s.w->users + 1, 2), 0); /* ada is removed */
    expect_ended(&s, job, mark);
    stage_free(&s);
}

/* catches: a guest that stays connected to a job that is deleted */
static void a_deleted_job_has_no_guests(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, s.ada, ""), mark = share(&s, job, "");

    (void)state;
    go_on(s.w, 60);
    listen_all(s.w, s.guest);
    HEARD(s.guest, "\"type\":\"end\"");
    assert_true(s.guest->client->shared == job);
    ANSWERS(ask(&s, s.ada, "delete", job), "\"re\":\"delete\"");
    assert_true(s.guest->client->shared == 0);
    assert_false(hub_shares(s.w->hub, job, mark));
    ANSWERS(list(&s, s.guest, ""), "\"jobs\":[]");
    stage_free(&s);
}

/* catches: a share that a restart ends, or one that comes back with it */
static void a_share_survives_a_restart(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, s.ada, ""), ended = submit(&s, s.ada, ""), mark;

    (void)state;
    ask(&s, s.ada, "share", ended);
    ask(&s, s.ada, "unshare", ended);
    ask(&s, s.ada, "share", job);
    mark = mark_of(&s, job);
    go_on(s.w, 60);
    world_kill(s.w, 0);
    world_boot(s.w);
    worker_open(s.w);
    s.ada->client = s.ben->client = s.admin->client = NULL;
    assert_true(shown(&s, job));
    assert_true(mark_of(&s, job) == mark);
    assert_int_equal(job_of(&s, ended)->guests.until_ms, 0);
    stage_free(&s);
}

/* Send it, and read what is answered before the disk has it. */
static void ask_only(struct stage *s, const char *type, uint64_t job)
{
    command(s->w, s->ada, "{\"type\":\"%s\",\"job\":\"%s\"}", type, hex(job));
    listen_all(s->w, s->ada);
}

static void disk_says(struct stage *s, bool ok)
{
    store_answer(s->w, ok);
    listen_all(s->w, s->ada);
}

/* catches: an answer that a crash can take back; guests that watch on until the disk has it; an
 * `unshare` of what is not shared any more that is answered before the first one */
static void answers_wait_for_the_disk(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, s.ada, "");

    (void)state;
    ask_only(&s, "unshare", job);
    HEARD(s.ada, "\"re\":\"unshare\""); /* nothing is to be stored */
    ask_only(&s, "share", job);
    NOT_HEARD(s.ada, "\"re\"");
    assert_false(hub_idle(s.w->hub));
    disk_says(&s, true);
    HEARD(s.ada, "drs_");
    s.guest = guest_of(&s, job);
    ask_only(&s, "unshare", job);
    assert_int_equal(s.guest->client->shared, 0);
    ask_only(&s, "unshare", job);
    NOT_HEARD(s.ada, "\"re\"");
    disk_says(&s, true);
    assert_int_equal(count(s.ada->text, "\"re\":\"unshare\""), 1);
    assert_int_equal(truth_of(s.w, job)->disk->row.shared_ms, 0);
    disk_says(&s, true);
    HEARD(s.ada, "\"re\":\"unshare\"");
    stage_free(&s);
}

/* catches: a refused change that is told as made, or that leaves the job otherwise than on disk */
static void what_the_disk_refuses_does_not_hold(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, s.ada, ""), mark;

    (void)state;
    ask_only(&s, "share", job);
    disk_says(&s, false);
    HEARD(s.ada, "\"code\":\"io\"");
    HEARD(s.ada, "\"re\":\"share\"");
    NOT_HEARD(s.ada, "drs_");
    assert_int_equal(job_of(&s, job)->guests.until_ms, 0);

    mark = share(&s, job, "");
    ask_only(&s, "unshare", job);
    assert_false(hub_shares(s.w->hub, job, mark));
    disk_says(&s, false);
    HEARD(s.ada, "\"re\":\"unshare\"");
    HEARD(s.ada, "\"code\":\"io\"");
    assert_true(hub_shares(s.w->hub, job, mark) && shown(&s, job));
    assert_int_equal(s.guest->client->shared, 0);
    assert_true(hub_due(s.w->hub) < INT64_MAX);

    ask_only(&s, "share", job);
    ask_only(&s, "share", job); /* the first is taken, the second is not */
    disk_says(&s, true);
    HEARD(s.ada, "drs_");
    disk_says(&s, false);
    NOT_HEARD(s.ada, "drs_");
    assert_false(hub_shares(s.w->hub, job, mark));
    assert_true(shown(&s, job));
    assert_memory_equal(job_of(&s, job)->guests.hash, truth_of(s.w, job)->disk->row.share,
                        SHARE_HASH_BYTES);
    stage_free(&s);
}

/* catches: a share that is over and that comes back as the disk refuses its end, again and again */
static void time_needs_no_disk(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, s.ada, ",\"hold\":true");

    (void)state;
    share(&s, job, ",\"ttl_s\":60");
    s.w->now += 60000000;
    hub_tick(s.w->hub, s.w->now);
    assert_int_equal(s.guest->client->shared, 0);
    disk_says(&s, false);
    assert_int_equal(job_of(&s, job)->guests.until_ms, 0);
    assert_true(s.w->write_first == s.w->write_end);
    stage_free(&s);
}

/* catches: a job that is forgotten and brought back without the change that is on its way; an
 * answer that finds no job, or no client */
static void a_change_on_its_way_keeps_its_job(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, s.ada, ""), other = submit(&s, s.ada, "");

    (void)state;
    go_on(s.w, 100);
    share(&s, job, "");
    listener_free(s.w, s.guest);
    s.guest = NULL;
    s.w->hub->registry.kept = 0;
    submit(&s, s.ada, ",\"hold\":true");
    command(s.w, s.ada, "{\"type\":\"cancel\",\"job\":\"%s\"}", hex(newest(s.w)));
    ask_only(&s, "unshare", job);
    disk_says(&s, true); /* a job is over: those of before are forgotten */
    assert_null(job_of(&s, other));
    assert_non_null(job_of(&s, job));
    store_all(s.w);
    ask_only(&s, "share", job);
    hub_close(s.w->hub, s.w->now, s.ada->client);
    s.ada->client = NULL;
    store_all(s.w);
    s.ada->client = hub_open(s.w->hub, s.ada, 1);
    ask_only(&s, "share", job);
    ask_only(&s, "delete", job);
    NOT_HEARD(s.ada, "\"re\"");
    disk_says(&s, true);
    HEARD(s.ada, "drs_");
    NOT_HEARD(s.ada, "\"re\":\"delete\"");
    disk_says(&s, true);
    HEARD(s.ada, "\"re\":\"delete\"");
    stage_free(&s);
}

/* catches: a guest whose job is forgotten and brought back before it has read that: its secret
 * shows the job again, and it would stay connected and see nothing */
static void who_was_cut_off_is_told_so(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, s.ada, ""), mark;

    (void)state;
    go_on(s.w, 60);
    mark = share(&s, job, "");
    listen_all(s.w, s.guest);
    listen_all(s.w, s.ada);
    assert_false(hub_is_cut(s.guest->client) || hub_is_cut(s.ada->client));
    s.w->hub->registry.kept = 1;
    submit(&s, s.ada, ",\"hold\":true");
    ask(&s, s.ada, "cancel", newest(s.w));
    assert_null(job_of(&s, job));
    ANSWERS(ask(&s, s.ada, "job", job), "a secret");
    assert_true(hub_shares(s.w->hub, job, mark));
    assert_true(hub_is_cut(s.guest->client));
    listener_free(s.w, s.guest);
    s.guest = guest_of(&s, job);
    assert_false(hub_is_cut(s.guest->client));
    stage_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_sees_one_job),
        cmocka_unit_test(a_guest_commands_nothing),
        cmocka_unit_test(cells_are_shared_with_their_sweep),
        cmocka_unit_test(its_owner_alone_shares_a_job),
        cmocka_unit_test(without_users_nothing_is_shared),
        cmocka_unit_test(a_share_ends),
        cmocka_unit_test(a_deleted_job_has_no_guests),
        cmocka_unit_test(a_share_survives_a_restart),
        cmocka_unit_test(answers_wait_for_the_disk),
        cmocka_unit_test(what_the_disk_refuses_does_not_hold),
        cmocka_unit_test(time_needs_no_disk),
        cmocka_unit_test(a_change_on_its_way_keeps_its_job),
        cmocka_unit_test(who_was_cut_off_is_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
