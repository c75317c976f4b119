/* test_auth - who is let in by which header, cookie or message, and who is not. */
#include "server/net/auth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include <cmocka.h>

static const uint8_t SECRET[AUTH_SECRET_BYTES] = {1, 2, 3};
static struct auth auth;
static struct address home;
static char token[LIMIT_USERS][TOKEN_TEXT];
static int64_t now;
static const char *vouched = ""; /* the name that a proxy has asked for */

static struct user_rows rows_of(int n)
{
    struct user_rows rows = {.n = n, .ever = n > 0};

    rows.user = calloc((size_t)n + 1, sizeof *rows.user);
    rows.token = calloc((size_t)n + 1, sizeof *rows.token);
    rows.created_ms = calloc((size_t)n + 1, sizeof *rows.created_ms);
    for (int i = 0; i < n; i++) {
        user_defaults(&rows.user[i]);
        rows.user[i].id = (uint32_t)i + 1;
        snprintf(rows.user[i].name, sizeof rows.user[i].name, "user%d", i + 1);
        if (!token[i][0]) token_make(token[i]);
        token_hash(token[i], TOKEN_LENGTH, rows.token[i]);
    }
    return rows;
}

/* The users are the first n from now on. */
static void users(int n)
{
    struct user_rows rows = rows_of(n);

    auth_users(&auth, &rows);
    assert_null(rows.user);
}

static int set_up(void **state)
{
    (void)state;
    now = 1000;
    auth_init(&auth, SECRET, false);
    return address_parse("10.0.0.1", 1, &home, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    auth_free(&auth);
    return 0;
}

/* A request with these header lines, each with its line end. */
static struct auth_result ask(const char *lines)
{
    static char bytes[2 * HEAD_BYTES];
    static struct head head;
    struct proxied proxied;
    struct auth_result r;
    struct fail f;
    int n = snprintf(bytes, sizeof bytes, "GET / HTTP/1.1\r\nHost: x\r\n%.16000s\r\n", lines);

    if (head_parse(&head, bytes, (size_t)n, &f)) fail_msg("%s: %s", lines, f.message);
    proxy_read(&head, &home, false, &proxied);
    proxied.user = vouched;
    auth_head(&auth, &head, &proxied, now, &r);
    return r;
}

static struct auth_result bearer(const char *scheme, const char *text)
{
    char lines[HEAD_BYTES];

    snprintf(lines, sizeof lines, "Authorization: %s%.8000s\r\n", scheme, text);
    return ask(lines);
}

/* "name=value" of the cookie that this user gets */
static const char *cookie_of(uint32_t user)
{
    static char text[AUTH_COOKIE_BYTES];
    struct auth_result r = bearer("Bearer ", token[user - 1]);

    assert_true(r.known && r.token && r.who.user == user);
    auth_cookie(&auth, &r.who, "/lab/", true, text);
    assert_non_null(
        strstr(text, "; Path=/lab/; Max-Age=15552000; HttpOnly; SameSite=Strict; Secure"));
    *strchr(text, ';') = '\0';
    return text;
}

static struct auth_result with_cookie(const char *cookie)
{
    char lines[2000];

    snprintf(lines, sizeof lines, "Cookie: %s\r\n", cookie);
    return ask(lines);
}

/* catches: a service that asks for tokens without users, or none with them; one that is opened by
 * removing its last user */
static void when_it_is_needed(void **state)
{
    struct auth_who nobody = {0};
    struct user_rows removed = rows_of(0);

    (void)state;
    assert_false(auth_needed(&auth));
    assert_true(ask("").known && auth_holds(&auth, &nobody));
    assert_true(bearer("Bearer ", "nonsense").known);
    users(1);
    assert_true(auth_needed(&auth));
    assert_false(ask("").known || auth_holds(&auth, &nobody));
    assert_null(auth_user(&auth, &nobody));
    removed.ever = true;
    auth_users(&auth, &removed);
    assert_true(auth_needed(&auth) && !auth_holds(&auth, &nobody));
    auth.open = true;
    assert_false(auth_needed(&auth));
    users(1);
    assert_true(auth_needed(&auth));
}

/* catches: a scheme in another case that is refused, a token that is none let in, a reason that
 * tells what comes near */
static void bearers(void **state)
{
    const char *good[] = {"Bearer ", "bearer ", "BEARER ", "Bearer \t  "};
    char text[8000], cut[TOKEN_TEXT];
    struct auth_result r;

    (void)state;
    users(3);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        r = bearer(good[i], token[1]);
        assert_true(r.known && r.token && !r.wrong && r.who.user == 2);
        assert_string_equal(auth_user(&auth, &r.who)->name, "user2");
    }
    now += 1000000000;
    r = bearer("Bearer", "");
    assert_true(!r.known && r.wrong && r.why.code == ERR_UNAUTHORIZED);
    assert_true(bearer("Bearer ", "").wrong);
    snprintf(cut, sizeof cut, "%.*s", TOKEN_LENGTH - 1, token[1]);
    assert_true(bearer("Bearer ", cut).wrong);
    snprintf(text, sizeof text, "%s %s", token[1], token[1]);
    assert_true(bearer("Bearer ", text).wrong);
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    memcpy(text, token[1], TOKEN_LENGTH);
    r = bearer("Bearer ", text);
    assert_true(r.wrong && !r.known);
    token_make(cut);
    r = bearer("Bearer ", cut);
    assert_true(r.wrong && !r.known && !strstr(r.why.message, cut) && !strstr(r.why.hint, cut));
}

/* catches: a proxy's own password that is taken for a wrong token, or hides a cookie */
static void other_schemes_are_not_ours(void **state)
{
    char lines[1000];
    struct auth_result r;

    (void)state;
    users(2);
    r = ask("Authorization: Basic YTpi\r\n");
    assert_true(!r.known && !r.wrong);
    r = ask("Authorization:\r\n");
    assert_true(!r.known && !r.wrong);
    assert_true(!ask("Authorization: Bearerdr_x\r\n").wrong);
    snprintf(lines, sizeof lines, "Authorization: Basic YTpi\r\nCookie: %s\r\n", cookie_of(2));
    r = ask(lines);
    assert_true(r.known && !r.token && r.who.user == 2);
}

/* With the credentials of these n bytes. */
static struct auth_result basic(const char *scheme, const char *bytes, size_t n)
{
    char text[2000];

    sodium_bin2base64(text, sizeof text, (const unsigned char *)bytes, n,
                      sodium_base64_VARIANT_ORIGINAL);
    return bearer(scheme, text);
}

/* catches: a token as password that is refused, or let in without being right, and free guesses */
static void tokens_as_passwords(void **state)
{
    char text[1000], wrong[TOKEN_TEXT];
    struct auth_result r;
    int n;

    (void)state;
    users(3);
    for (int user = 1; user <= 3; user++) {
        n = snprintf(text, sizeof text, "%s:%s", user == 2 ? "" : "any name", token[user - 1]);
        r = basic(user == 3 ? "bAsIc   " : "Basic ", text, (size_t)n);
        assert_true(r.known && r.token && r.who.user == (uint32_t)user);
    }
    assert_false(basic("Basic ", text, (size_t)n - 1).known); /* cut */
    assert_true(basic("Basic ", text, (size_t)n - 1).wrong);
    assert_false(basic("Basic ", text, (size_t)n + 1).known); /* with its NUL */
    n = snprintf(text, sizeof text, "%s:", token[0]);         /* as the name */
    r = basic("Basic ", text, (size_t)n);
    assert_true(!r.known && !r.wrong);
    n = snprintf(text, sizeof text, "%500s:%s", "", token[0]); /* too long */
    assert_false(basic("Basic ", text, (size_t)n).known);
    assert_false(bearer("Basic ", "dr_x:=").known);
    assert_false(bearer("Basic ", token[0]).known);
    now += 1000000000;
    token_make(wrong);
    n = snprintf(text, sizeof text, "ada:%s", wrong);
    for (int i = 0; i < GUESSES; i++)
        assert_int_equal(basic("Basic ", text, (size_t)n).why.code, ERR_UNAUTHORIZED);
    assert_int_equal(basic("Basic ", text, (size_t)n).why.code, ERR_RATE_LIMITED);
    assert_int_equal(bearer("Bearer ", wrong).why.code, ERR_RATE_LIMITED);
    now += 1000000000;
}

/* catches: a cookie that is not checked whole, is another user's, server's or token's */
static void cookies(void **state)
{
    char text[AUTH_COOKIE_BYTES], lines[1500], other[AUTH_COOKIE_BYTES];
    struct auth_result r;

    (void)state;
    users(3);
    snprintf(text, sizeof text, "%s", cookie_of(2));
    assert_null(strstr(text, token[1]));
    r = with_cookie(text);
    assert_true(r.known && !r.token && r.who.user == 2);
    snprintf(lines, sizeof lines, "a=b; %s;c=d", text);
    assert_int_equal(with_cookie(lines).who.user, 2);
    for (size_t i = strlen(auth.cookie); text[i]; i++) {
        char was = text[i];

        text[i] = was == '0' ? '1' : '0';
        r = with_cookie(text);
        assert_true(!r.known && !r.wrong);
        text[i] = was;
    }
    snprintf(lines, sizeof lines, "%s0", text);
    assert_false(with_cookie(lines).known);
    snprintf(lines, sizeof lines, "x%s", text);
    assert_false(with_cookie(lines).known);
    snprintf(lines, sizeof lines, "%s", text);
    lines[strlen(lines) - 1] = '\0';
    assert_false(with_cookie(lines).known);
    assert_false(with_cookie(auth.cookie).known);
    /* an old one before it, and of two header lines the second */
    snprintf(other, sizeof other, "%s=1.%064d", auth.cookie, 0);
    snprintf(lines, sizeof lines, "Cookie: %s; %s\r\n", other, text);
    assert_int_equal(ask(lines).who.user, 2);
    snprintf(lines, sizeof lines, "Cookie: %s\r\nCookie: %s\r\n", other, text);
    assert_int_equal(ask(lines).who.user, 2);
    auth_cookie_end(&auth, "/", other);
    assert_non_null(strstr(other, "=; Path=/; Max-Age=0"));
}

/* catches: a bearer that is wrong, but passes as a cookie is right; who is asked of two */
static void a_bearer_goes_before_a_cookie(void **state)
{
    char lines[2000], cookie[AUTH_COOKIE_BYTES];
    struct auth_result r;

    (void)state;
    users(2);
    snprintf(cookie, sizeof cookie, "%s", cookie_of(1));
    snprintf(lines, sizeof lines, "Cookie: %s\r\nAuthorization: Bearer %s\r\n", cookie, token[1]);
    assert_int_equal(ask(lines).who.user, 2);
    snprintf(lines, sizeof lines, "Cookie: %s\r\nAuthorization: Bearer x\r\n", cookie);
    r = ask(lines);
    assert_true(!r.known && r.wrong);
}

/* catches: a proxy's user that is not known, is made one, or is taken for a browser's old cookie */
static void a_proxy_vouches(void **state)
{
    char lines[1000];
    struct auth_result r;

    (void)state;
    users(2);
    snprintf(lines, sizeof lines, "Cookie: %s\r\n", cookie_of(1));
    vouched = "user2";
    r = ask(lines);
    assert_true(r.known && !r.token && r.who.user == 2);
    assert_int_equal(bearer("Bearer ", token[0]).who.user, 1);
    assert_true(bearer("Bearer ", "x").wrong);
    vouched = "user3";
    r = ask(lines);
    assert_true(!r.known && r.wrong && r.why.code == ERR_UNAUTHORIZED);
    vouched = "USER2";
    assert_false(ask("").known);
    vouched = "";
    assert_int_equal(ask(lines).who.user, 1);
}

/* catches: what was signed in with an old token, and still is after rotation or removal; a cookie
 * of a server with another data folder */
static void what_ends(void **state)
{
    char cookie[AUTH_COOKIE_BYTES], old[TOKEN_TEXT];
    struct auth_result r;
    struct auth_who first, second;
    struct auth other;
    uint8_t secret[AUTH_SECRET_BYTES] = {9};

    (void)state;
    users(2);
    first = bearer("Bearer ", token[0]).who;
    second = bearer("Bearer ", token[1]).who;
    snprintf(cookie, sizeof cookie, "%s", cookie_of(2));
    snprintf(old, sizeof old, "%s", token[1]);
    token_make(token[1]); /* rotated */
    users(2);
    assert_true(auth_holds(&auth, &first) && !auth_holds(&auth, &second));
    assert_false(with_cookie(cookie).known);
    r = bearer("Bearer ", old);
    assert_true(!r.known && r.wrong);
    second = bearer("Bearer ", token[1]).who;
    snprintf(cookie, sizeof cookie, "%s", cookie_of(2));
    users(1); /* removed */
    assert_true(auth_holds(&auth, &first) && !auth_holds(&auth, &second));
    assert_null(auth_user(&auth, &second));
    assert_false(with_cookie(cookie).known || bearer("Bearer ", token[1]).known);
    snprintf(cookie, sizeof cookie, "%s", cookie_of(1));
    auth_init(&other, secret, false);
    assert_string_not_equal(other.cookie, auth.cookie);
    memcpy(auth.secret, secret, sizeof secret);
    assert_false(with_cookie(cookie).known);
}

/* catches: guessing without end; a neighbour's guesses that lock users out */
static void guessing(void **state)
{
    char wrong[TOKEN_TEXT];
    struct auth_result r;
    struct address elsewhere;

    (void)state;
    users(2);
    token_make(wrong);
    for (int i = 0; i < GUESSES; i++)
        assert_int_equal(bearer("Bearer ", wrong).why.code, ERR_UNAUTHORIZED);
    r = bearer("Bearer ", wrong);
    assert_int_equal(r.why.code, ERR_RATE_LIMITED);
    assert_in_range(r.why.retry_after_ms, 1, GUESS_COST_US / 1000);
    assert_true(bearer("Bearer ", token[0]).known);
    assert_true(with_cookie(cookie_of(1)).known);
    assert_int_equal(ask("").why.code, ERR_UNAUTHORIZED);
    address_parse("10.0.0.2", 1, &elsewhere, NULL);
    home = elsewhere;
    assert_int_equal(bearer("Bearer ", wrong).why.code, ERR_UNAUTHORIZED);
}

static struct auth_result say(const char *text, size_t len)
{
    struct auth_result r;

    auth_message(&auth, text, len, &home, now, &r);
    return r;
}

/* catches: a message that lets in without being `auth`, a token that ends at U+0000, a mistake
 * that is not answered */
static void messages(void **state)
{
    char text[300];
    int n;
    struct auth_result r;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"type\":\"auth\"}",
        "{\"type\":\"auth\",\"token\":7}",
        "{\"type\":\"auth\",\"token\":null}",
        "{\"type\":\"auth\",\"token\":\"\"}",
        "{\"type\":\"ping\",\"token\":\"%s\"}",
        "{\"token\":\"%s\"}",
        "{\"type\":\"auth\",\"token\":\"%s\\u0000\"}",
        "{\"type\":\"auth\",\"token\":\" %s\"}",
        "{\"type\":\"auth\",\"token\":\"x\",\"token\":\"%s\"}",
    };

    (void)state;
    users(3);
    n = snprintf(text, sizeof text, "{\"type\":\"auth\",\"ref\":\"a\",\"token\":\"%s\"}", token[2]);
    r = say(text, (size_t)n);
    assert_true(r.known && r.who.user == 3);
    text[n - 3] ^= 1;
    assert_false(say(text, (size_t)n).known);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        n = snprintf(text, sizeof text, bad[i], token[2]);
        r = say(text, (size_t)n);
        if (r.known || !r.why.code) fail_msg("%s lets in", text);
        now += 1000000000;
    }
    users(0);
    assert_true(say("{}", 2).known);
}

/* catches: a guest who is taken for everybody when its job is not shared any more */
static void a_guest_is_never_everybody(void **state)
{
    const struct auth_who who = {.user = USER_GUEST, .shared = 5, .mark = 7};
    char secret[TOKEN_SHARED_TEXT];
    struct auth_result r;

    (void)state;
    users(1);
    token_make_shared(secret);
    r = bearer("Bearer ", secret); /* no job is shared */
    assert_true(r.wrong && !r.known && !r.token);
    assert_int_equal(r.why.code, ERR_UNAUTHORIZED);
    assert_false(auth_holds(&auth, &who));
    assert_non_null(auth_user(&auth, &who));
    assert_int_equal(auth_user(&auth, &who)->role, ROLE_GUEST);
}

/* catches: the last of many who is not found */
static void a_thousand_users(void **state)
{
    (void)state;
    users(1000);
    for (int i = 0; i < 1000; i += 111)
        assert_int_equal(bearer("Bearer ", token[i]).who.user, i + 1);
    assert_int_equal(with_cookie(cookie_of(1000)).who.user, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(when_it_is_needed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bearers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_schemes_are_not_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_as_passwords, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cookies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_bearer_goes_before_a_cookie, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_proxy_vouches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(guessing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(messages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_guest_is_never_everybody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_thousand_users, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
