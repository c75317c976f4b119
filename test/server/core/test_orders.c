/* test_orders - what users do with several of their jobs at once, and with nobody else's. */
#include "test/sim/listener.h"

struct stage {
    struct world *w;
    struct listener *ada, *ben, *admin;
};

/* One device that draws one picture at a time. */
static struct stage stage_new(void)
{
    struct stage s = {.w = ready_world()};

    s.w->hub->conf.concurrency = 1;
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
    listener_free(s->w, s->ada);
    listener_free(s->w, s->ben);
    listener_free(s->w, s->admin);
    world_free(s->w);
}

/* A job of a submit with these further members, on disk. */
static uint64_t submit(struct stage *s, struct listener *of, const char *more)
{
    command(s->w, of, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":96}%s}", more);
    store_all(s->w);
    return newest(s->w);
}

/* Send a message and read what is answered. */
static const char *ask(struct stage *s, struct listener *e, const char *message)
{
    listen_all(s->w, e);
    command(s->w, e, "%s", message);
    listen_all(s->w, e);
    return e->text;
}

static enum job_state state_of(const struct stage *s, uint64_t job)
{
    return registry_find(&s->w->hub->registry, job)->state;
}

#define ANSWERS(said, what) assert_non_null(strstr(said, what))

/* catches: a filter that takes a job in another state, or another user's; a wrong count */
static void a_filter_takes_ones_own_jobs_in_that_state(void **state)
{
    struct stage s = stage_new();
    uint64_t runs = submit(&s, s.ada, ""), waits = submit(&s, s.ada, "");
    uint64_t last = submit(&s, s.ada, ""), bens = submit(&s, s.ben, "");

    (void)state;
    assert_int_equal(state_of(&s, runs), JOB_RUNNING);
    ANSWERS(ask(&s, s.ada, "{\"type\":\"cancel\",\"state\":\"queued\",\"ref\":\"q\"}"),
            "{\"type\":\"ok\",\"ref\":\"q\",\"re\":\"cancel\",\"count\":2}");
    store_all(s.w);
    assert_int_equal(state_of(&s, runs), JOB_RUNNING);
    assert_int_equal(state_of(&s, waits), JOB_CANCELLED);
    assert_int_equal(state_of(&s, last), JOB_CANCELLED);
    waits = submit(&s, s.ada, "");
    ANSWERS(ask(&s, s.ada, "{\"type\":\"cancel\",\"state\":\"running\"}"), "\"count\":1");
    go_on(s.w, 1);
    assert_int_equal(state_of(&s, runs), JOB_CANCELLED);
    assert_true(state_of(&s, waits) != JOB_CANCELLED);
    ANSWERS(ask(&s, s.ada, "{\"type\":\"cancel\",\"all\":true}"), "\"count\":1");
    ANSWERS(ask(&s, s.ada, "{\"type\":\"cancel\",\"all\":true}"), "\"count\":0");
    go_on(s.w, 60);
    assert_int_equal(state_of(&s, waits), JOB_CANCELLED);
    assert_int_equal(state_of(&s, bens), JOB_DONE);
    stage_free(&s);
}

/* catches: a job that is drawn because the filter came before its row was on disk; a second
 * cancel that counts it again */
static void a_filter_takes_a_job_that_is_being_stored(void **state)
{
    struct stage s = stage_new();

    (void)state;
    listen_all(s.w, s.ada);
    command(s.w, s.ada, "{\"type\":\"submit\",\"ref\":\"s\",\"spec\":{\"prompt\":\"x\"}}");
    command(s.w, s.ada, "{\"type\":\"cancel\",\"all\":true,\"ref\":\"c\"}");
    command(s.w, s.ada, "{\"type\":\"cancel\",\"all\":true,\"ref\":\"d\"}");
    store_all(s.w);
    listen_all(s.w, s.ada);
    HEARD(s.ada, "\"ref\":\"s\"");
    HEARD(s.ada, "\"ref\":\"c\",\"re\":\"cancel\",\"count\":1");
    HEARD(s.ada, "\"ref\":\"d\",\"re\":\"cancel\",\"count\":0");
    HEARD(s.ada, "\"state\":\"cancelled\"");
    NOT_HEARD(s.ada, "\"type\":\"phase\"");
    stage_free(&s);
}

/* catches: a row that the disk refuses, of a job that was to be cancelled */
static void a_job_that_is_refused_cannot_be_cancelled(void **state)
{
    struct stage s = stage_new();

    (void)state;
    command(s.w, s.ada, "{\"type\":\"submit\",\"ref\":\"s\",\"spec\":{\"prompt\":\"x\"}}");
    command(s.w, s.ada, "{\"type\":\"cancel\",\"all\":true}");
    store_answer(s.w, false);
    listen_all(s.w, s.ada);
    HEARD(s.ada, "\"re\":\"submit\",\"code\":\"io\"");
    NOT_HEARD(s.ada, "\"state\":\"cancelled\"");
    assert_null(s.w->hub->registry.newest);
    stage_free(&s);
}

/* catches: a user who names another; an administrator's filter that takes everybody's jobs */
static void an_admin_alone_names_a_user(void **state)
{
    static const char OF_BEN[] = "{\"type\":\"cancel\",\"all\":true,\"user\":\"ben\"}";
    struct stage s = stage_new();
    uint64_t adas = submit(&s, s.ada, ""), bens = submit(&s, s.ben, "");

    (void)state;
    ANSWERS(ask(&s, s.ada, OF_BEN), "\"code\":\"forbidden\",\"field\":\"user\"");
    ANSWERS(ask(&s, s.ada, "{\"type\":\"cancel\",\"all\":true,\"user\":\"nemo\"}"), "forbidden");
    ANSWERS(ask(&s, s.admin, "{\"type\":\"cancel\",\"all\":true,\"user\":\"nemo\"}"), "not_found");
    ANSWERS(ask(&s, s.admin, "{\"type\":\"cancel\",\"all\":true}"), "\"count\":0");
    ANSWERS(ask(&s, s.admin, OF_BEN), "\"count\":1");
    go_on(s.w, 60);
    assert_int_equal(state_of(&s, bens), JOB_CANCELLED);
    assert_int_equal(state_of(&s, adas), JOB_DONE);
    stage_free(&s);
}

static const char *ask_about(struct stage *s, struct listener *e, const char *type, uint64_t job)
{
    char message[128];

    snprintf(message, sizeof message, "{\"type\":\"%s\",\"job\":\"%s\"}", type, hex(job));
    return ask(s, e, message);
}

static int place_of(const struct stage *s, uint64_t job)
{
    return queue_place(&s->w->hub->queue, registry_find(&s->w->hub->registry, job));
}

/* catches: a held job that starts, has a place or times, or counts in others'; one that is behind
 * its owner's later jobs when it is released */
static void a_held_job_is_left_out_until_it_is_released(void **state)
{
    struct stage s = stage_new();
    uint64_t held, next, bens;

    (void)state;
    submit(&s, s.ada, "");
    held = submit(&s, s.ada, "");
    next = submit(&s, s.ada, "");
    bens = submit(&s, s.ben, "");
    assert_true(place_of(&s, held) > 0 && place_of(&s, held) < place_of(&s, next));
    ANSWERS(ask_about(&s, s.ada, "hold", held), "\"re\":\"hold\"");
    HEARD(s.ada, "\"position\":0,\"ahead\":0,\"start_ms\":null,\"eta_ms\":null,"
                 "\"eta_range_ms\":null,\"why\":\"held\"");
    assert_int_equal(place_of(&s, held), 0);
    assert_int_equal(s.w->hub->queue.n, 2);
    ANSWERS(ask(&s, s.ben, "{\"type\":\"stats\",\"on\":false}"), "\"queued\":2");
    HEARD(s.ben, "\"more\":0");
    ANSWERS(ask_about(&s, s.ada, "hold", held), "\"type\":\"ok\"");
    submit(&s, s.ada, "");
    ANSWERS(ask_about(&s, s.ada, "release", held), "\"re\":\"release\"");
    HEARD(s.ada, "\"type\":\"queue\"");
    assert_true(place_of(&s, held) > 0 && place_of(&s, held) < place_of(&s, next));
    ANSWERS(ask_about(&s, s.ada, "hold", held), "\"type\":\"ok\"");
    go_on(s.w, 200);
    assert_int_equal(state_of(&s, next), JOB_DONE);
    assert_int_equal(state_of(&s, bens), JOB_DONE);
    assert_int_equal(state_of(&s, held), JOB_QUEUED);
    ask_about(&s, s.ada, "release", held);
    go_on(s.w, 60);
    assert_int_equal(state_of(&s, held), JOB_DONE);
    stage_free(&s);
}

/* catches: a submit that is to be held and starts; a hold that a restart forgets, or that a
 * release before it does not undo; a held job that cannot be cancelled */
static void a_hold_survives_a_restart(void **state)
{
    struct stage s = stage_new();
    uint64_t held = submit(&s, s.ada, ",\"hold\":true"), gone, later;

    (void)state;
    listen_all(s.w, s.ada);
    HEARD(s.ada, "\"why\":\"held\"");
    assert_int_equal(state_of(&s, held), JOB_QUEUED);
    gone = submit(&s, s.ada, ",\"hold\":true");
    later = submit(&s, s.ada, ",\"hold\":true");
    ask_about(&s, s.ada, "release", later);
    world_kill(s.w, 0);
    world_boot(s.w);
    worker_open(s.w);
    s.admin->client = s.ben->client = NULL;
    s.ada->client = hub_open(s.w->hub, s.ada, 1);
    go_on(s.w, 60);
    assert_int_equal(state_of(&s, held), JOB_QUEUED);
    assert_int_equal(state_of(&s, later), JOB_DONE);
    ANSWERS(ask_about(&s, s.ada, "watch", held), "\"why\":\"held\"");
    ask_about(&s, s.ada, "cancel", gone);
    store_all(s.w);
    assert_int_equal(state_of(&s, gone), JOB_CANCELLED);
    ask_about(&s, s.ada, "release", held);
    go_on(s.w, 60);
    assert_int_equal(state_of(&s, held), JOB_DONE);
    assert_int_equal(s.w->hub->n_held, 0);
    stage_free(&s);
}

/* catches: a job that another user holds or lets go; one that runs or is over and is held; a
 * refused row of a held job that is taken out of a queue where it is not */
static void a_hold_is_refused_where_it_means_nothing(void **state)
{
    struct stage s = stage_new();
    uint64_t runs = submit(&s, s.ada, ""), held = submit(&s, s.ada, ",\"hold\":true");

    (void)state;
    ANSWERS(ask_about(&s, s.ada, "hold", runs), "\"code\":\"conflict\"");
    ANSWERS(ask_about(&s, s.ada, "release", runs), "\"type\":\"ok\"");
    ANSWERS(ask_about(&s, s.ben, "hold", runs), "\"code\":\"not_found\"");
    ANSWERS(ask_about(&s, s.ben, "release", held), "\"code\":\"not_found\"");
    go_on(s.w, 60);
    assert_int_equal(state_of(&s, held), JOB_QUEUED);
    ANSWERS(ask_about(&s, s.ada, "hold", runs), "The job is over");
    ANSWERS(ask_about(&s, s.ada, "release", runs), "The job is over");
    command(s.w, s.ada, "{\"type\":\"submit\",\"hold\":true,\"spec\":{\"prompt\":\"x\"}}");
    store_answer(s.w, false);
    assert_int_equal(newest(s.w), held);
    ANSWERS(ask_about(&s, s.admin, "release", held), "\"type\":\"ok\"");
    stage_free(&s);
}

static const char *move(struct stage *s, struct listener *e, uint64_t job, uint64_t before)
{
    char message[160];

    snprintf(message, sizeof message,
             before ? "{\"type\":\"reorder\",\"job\":\"%s\",\"before\":\"%s\"}"
                    : "{\"type\":\"reorder\",\"job\":\"%s\",\"before\":null}",
             hex(job), before ? hex(before) : "");
    return ask(s, e, message);
}

/* The places of these jobs, one digit each. */
static long places(const struct stage *s, const uint64_t *job, int n)
{
    long all = 0;

    for (int i = 0; i < n; i++)
        all = 10 * all + place_of(s, job[i]);
    return all;
}

/* catches: a job that is put in the wrong place, takes another user's, or loses it at a restart; a
 * held one that comes back elsewhere */
static void jobs_change_places_with_ones_own_alone(void **state)
{
    struct stage s = stage_new();
    uint64_t a[4], b[2];

    (void)state;
    submit(&s, s.ada, "");
    for (int i = 0; i < 4; i++) {
        a[i] = submit(&s, s.ada, "");
        if (i < 2) b[i] = submit(&s, s.ben, "");
    }
    assert_int_equal(places(&s, a, 4), 2456);
    assert_int_equal(places(&s, b, 2), 13);
    ANSWERS(move(&s, s.ada, a[3], a[0]), "\"re\":\"reorder\"");
    assert_int_equal(places(&s, a, 4), 4562);
    ANSWERS(move(&s, s.ada, a[3], a[3]), "\"type\":\"ok\"");
    ask_about(&s, s.ada, "hold", a[0]);
    move(&s, s.ada, a[3], 0);
    move(&s, s.ada, a[2], a[0]);
    ask_about(&s, s.ada, "release", a[0]);
    assert_int_equal(places(&s, a, 4), 4526);
    assert_int_equal(places(&s, b, 2), 13);
    world_kill(s.w, 0);
    world_boot(s.w);
    s.admin->client = s.ben->client = s.ada->client = NULL;
    for (int i = 0; i < 3; i++)
        assert_true(place_of(&s, a[(int[]){2, 0, 1}[i]]) < place_of(&s, a[(int[]){0, 1, 3}[i]]));
    stage_free(&s);
}

/* catches: a job that is moved among another user's, or into another lane; one that runs */
static void a_move_that_means_nothing_is_refused(void **state)
{
    struct stage s = stage_new();
    uint64_t runs = submit(&s, s.ada, ""), waits = submit(&s, s.ada, ""), bens, batch;

    (void)state;
    bens = submit(&s, s.ben, "");
    command(s.w, s.ada, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"lane\":\"batch\"}}");
    store_all(s.w);
    batch = newest(s.w);
    ANSWERS(move(&s, s.ada, runs, waits), "\"code\":\"conflict\",\"field\":\"job\"");
    ANSWERS(move(&s, s.ada, waits, runs), "\"code\":\"conflict\",\"field\":\"before\"");
    ANSWERS(move(&s, s.ada, waits, batch), "another lane");
    ANSWERS(move(&s, s.ada, waits, bens), "\"code\":\"not_found\",\"field\":\"before\"");
    ANSWERS(move(&s, s.ada, bens, waits), "\"code\":\"not_found\",\"field\":\"job\"");
    ANSWERS(move(&s, s.admin, waits, bens), "another user");
    ANSWERS(move(&s, s.admin, waits, 0), "\"type\":\"ok\"");
    stage_free(&s);
}

static int64_t number_after(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    assert_non_null(at);
    return strtoll(at + strlen(name), NULL, 10);
}

/* catches: a job that is accepted although its result would come too late, or refused although it
 * would not; a figure that is not the quote's; a refusal that leaves something behind */
static void a_job_that_would_wait_too_long_is_refused(void **state)
{
    struct stage s = stage_new();
    char message[200];
    int64_t eta;

    (void)state;
    submit(&s, s.ada, ",\"max_wait_ms\":86400000");
    go_on(s.w, 100);
    submit(&s, s.ben, "");
    submit(&s, s.ben, "");
    ask(&s, s.ada, "{\"type\":\"quote\",\"spec\":{\"prompt\":\"x\",\"width\":96}}");
    eta = number_after(s.ada->text, "\"eta_ms\":");
    assert_true(eta > 1);
    snprintf(message, sizeof message,
             "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":96},\"max_wait_ms\":%lld}",
             (long long)eta - 1);
    ANSWERS(ask(&s, s.ada, message), "\"code\":\"timeout\",\"field\":\"max_wait_ms\"");
    assert_int_equal(number_after(s.ada->text, "\"retry_after_ms\":"), 1);
    ANSWERS(ask(&s, s.ada,
                "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"},"
                "\"max_wait_ms\":1}"),
            "\"code\":\"timeout\"");
    NOT_HEARD(s.ada, "retry_after_ms");
    assert_int_equal(s.w->write_first, s.w->write_end);
    assert_int_equal(s.w->hub->queue.n, 1);
    snprintf(message, sizeof message, ",\"max_wait_ms\":%lld", (long long)eta);
    submit(&s, s.ada, message);
    assert_int_equal(s.w->hub->queue.n, 2);
    assert_int_equal(state_of(&s, submit(&s, s.ada, ",\"max_wait_ms\":1,\"hold\":true")),
                     JOB_QUEUED);
    stage_free(&s);
}

/* catches: a job that starts in a pause, or waits after it; one that runs and is stopped; times
 * that nobody can know; a user who pauses all */
static void nothing_starts_in_a_pause(void **state)
{
    struct stage s = stage_new();
    uint64_t runs = submit(&s, s.ada, ""), waits = submit(&s, s.ada, ""), later;

    (void)state;
    ANSWERS(ask(&s, s.ada, "{\"type\":\"pause\"}"), "\"code\":\"forbidden\"");
    assert_false(s.w->hub->paused);
    ANSWERS(ask(&s, s.admin, "{\"type\":\"pause\",\"ref\":\"p\"}"), "\"ref\":\"p\"");
    listen_all(s.w, s.ada);
    HEARD(s.ada, "\"start_ms\":null,\"eta_ms\":null,\"eta_range_ms\":null,\"why\":\"paused\"");
    go_on(s.w, 60);
    assert_int_equal(state_of(&s, runs), JOB_DONE);
    assert_int_equal(state_of(&s, waits), JOB_QUEUED);
    later = submit(&s, s.ben, "");
    listen_all(s.w, s.ben);
    HEARD(s.ben, "\"eta_ms\":null");
    HEARD(s.ben, "\"why\":\"paused\"");
    ANSWERS(ask(&s, s.ben, "{\"type\":\"quote\",\"spec\":{\"prompt\":\"x\"}}"), "\"eta_ms\":null");
    ANSWERS(ask(&s, s.ben, "{\"type\":\"resume\"}"), "forbidden");
    assert_int_equal(state_of(&s, waits), JOB_QUEUED);
    ANSWERS(ask(&s, s.admin, "{\"type\":\"resume\"}"), "\"re\":\"resume\"");
    assert_int_equal(s.w->hub->in[JOB_RUNNING], 1);
    go_on(s.w, 100);
    assert_int_equal(state_of(&s, waits), JOB_DONE);
    assert_int_equal(state_of(&s, later), JOB_DONE);
    stage_free(&s);
}

/* catches: a job that another user deletes, or that waits, runs or has a device; one that is still
 * listed, watched or found by its key, or that comes back with a restart */
static void a_deleted_job_is_gone(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, s.ada, ",\"key\":\"k\""), waits = submit(&s, s.ada, "");

    (void)state;
    ANSWERS(remove_job(s.w, s.ada, job), "\"code\":\"conflict\"");
    ANSWERS(remove_job(s.w, s.ada, waits), "Cancel it first");
    go_on(s.w, 1);
    ask_about(&s, s.ada, "cancel", waits);
    store_all(s.w);
    go_on(s.w, 60);
    assert_int_equal(state_of(&s, job), JOB_DONE);
    ANSWERS(remove_job(s.w, s.ben, job), "\"code\":\"not_found\"");
    ask_about(&s, s.ada, "watch", job);
    ask_about(&s, s.admin, "watch", job);
    command(s.w, s.admin, "{\"type\":\"watch\",\"job\":\"%s\"}", hex(job)); /* and reads nothing */
    ANSWERS(remove_job(s.w, s.ada, job), "\"re\":\"delete\"");
    listen_all(s.w, s.admin);
    NOT_HEARD(s.admin, "\"type\":\"end\"");
    ANSWERS(ask_about(&s, s.ada, "watch", job), "\"code\":\"not_found\"");
    ANSWERS(remove_job(s.w, s.ada, job), "\"code\":\"not_found\"");
    ANSWERS(ask(&s, s.ada, "{\"type\":\"list\"}"), hex(waits));
    assert_null(strstr(s.ada->text, hex(job)));
    assert_true(submit(&s, s.ada, ",\"key\":\"k\"") != job);
    ANSWERS(remove_job(s.w, s.admin, waits), "\"type\":\"ok\"");
    assert_int_equal(s.w->hub->registry.n_over, 0);
    world_kill(s.w, 0);
    world_boot(s.w);
    s.admin->client = s.ben->client = s.ada->client = NULL;
    assert_null(registry_find(&s.w->hub->registry, job));
    assert_int_equal(s.w->hub->registry.n, 1);
    stage_free(&s);
}

/* catches: a job of a removed user that is drawn, as its row was on its way to the disk */
static void a_removed_users_job_ends_when_it_is_stored(void **state)
{
    struct stage s = stage_new();
    uint64_t job;

    (void)state;
    command(s.w, s.ada, "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}}");
    job = newest(s.w);
    assert_int_equal(hub_users(s.w->hub, s.w->now, s.w->users + 1, 2), 0);
    go_on(s.w, 2);
    assert_int_equal(state_of(&s, job), JOB_CANCELLED);
    stage_free(&s);
}

/* catches: a mark that the row or the list lacks, that another user sets; a word about pictures
 * that go which another user hears, or that the list contradicts */
static void favourites_and_what_goes(void **state)
{
    struct stage s = stage_new();
    uint64_t job = submit(&s, s.ada, ""), second;
    struct removal r = {.owner = 1, .n = 1, .bytes = 5000000, .at_ms = 1767225700000};

    (void)state;
    go_on(s.w, 60);
    second = submit(&s, s.ada, "");
    ANSWERS(ask_about(&s, s.ben, "favourite", job), "not_found");
    ANSWERS(ask_about(&s, s.ada, "favourite", job), "\"re\":\"favourite\"");
    ask_about(&s, s.ada, "favourite", second);
    assert_true(truth_of(s.w, job)->disk->row.favourite);
    assert_int_equal(count(ask(&s, s.ada, "{\"type\":\"list\"}"), "\"favourite\":true"), 2);
    r.job[0] = job;
    hub_removal(s.w->hub, s.w->now, &r);
    listen_all(s.w, s.ada);
    HEARD(s.ada, "\"kind\":\"quota\",\"text\":\"Your 1 oldest picture (5.0 MB) will be removed");
    HEARD(s.ada, hex(job));
    listen_all(s.w, s.ben);
    NOT_HEARD(s.ben, "notice");
    r.done = true;
    truth_of(s.w, job)->disk->deleted = true;
    hub_removal(s.w->hub, s.w->now, &r);
    listen_all(s.w, s.ada);
    HEARD(s.ada, "\"kind\":\"removed\"");
    HEARD(s.ada, "\"kind\":\"quota\",\"text\":null");
    ANSWERS(ask_about(&s, s.ada, "watch", job), "not_found");
    assert_int_equal(count(ask(&s, s.ada, "{\"type\":\"list\"}"), "\"favourite\":true"), 1);
    stage_free(&s);
}

#define HOOK(host) ",\"webhook\":\"https://" host "/\""

/* catches: a webhook that is not asked about, also when its key or its picture is found; one of a
 * private job, of which nothing is kept; a refusal that leaves something behind */
static void a_webhook_must_be_allowed(void **state)
{
    struct stage s = stage_new();
    uint64_t job;

    (void)state;
    ANSWERS(ask(&s, s.ada,
                "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"}" HOOK("other.example") "}"),
            "\"code\":\"bad_field\",\"field\":\"webhook\"");
    ANSWERS(ask(&s, s.ada,
                "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\"},\"private\":true" HOOK(
                    "listed.example") "}"),
            "\"field\":\"webhook\"");
    assert_int_equal(s.w->write_first, s.w->write_end);
    assert_int_equal(s.w->hub->registry.n, 0);
    job = submit(&s, s.ada, ",\"key\":\"k\"" HOOK("listed.example"));
    assert_int_equal(state_of(&s, job), JOB_RUNNING);
    ANSWERS(ask(&s, s.ada,
                "{\"type\":\"submit\",\"spec\":{\"prompt\":\"x\",\"width\":96},\"key\":\"k\"" HOOK(
                    "other.example") "}"),
            "\"field\":\"webhook\"");
    stage_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_filter_takes_ones_own_jobs_in_that_state),
        cmocka_unit_test(a_filter_takes_a_job_that_is_being_stored),
        cmocka_unit_test(a_job_that_is_refused_cannot_be_cancelled),
        cmocka_unit_test(an_admin_alone_names_a_user),
        cmocka_unit_test(a_held_job_is_left_out_until_it_is_released),
        cmocka_unit_test(a_hold_survives_a_restart),
        cmocka_unit_test(a_hold_is_refused_where_it_means_nothing),
        cmocka_unit_test(jobs_change_places_with_ones_own_alone),
        cmocka_unit_test(a_move_that_means_nothing_is_refused),
        cmocka_unit_test(a_job_that_would_wait_too_long_is_refused),
        cmocka_unit_test(nothing_starts_in_a_pause),
        cmocka_unit_test(a_deleted_job_is_gone),
        cmocka_unit_test(favourites_and_what_goes),
        cmocka_unit_test(a_webhook_must_be_allowed),
        cmocka_unit_test(a_removed_users_job_ends_when_it_is_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
