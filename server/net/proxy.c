/* proxy - reads headers that mean something from our own proxy alone. */
#include "server/net/proxy.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The last item of the last header of this name, without blanks. */
static void last_item(const struct head *h, const char *name, char *out, size_t bytes)
{
    const char *value = "", *item;
    size_t n;

    for (int i = 0; i < h->fields; i++)
        if (strcmp(h->field[i].name, name) == 0) value = h->field[i].value;
    item = strrchr(value, ',');
    item = item ? item + 1 : value;
    item += strspn(item, " \t");
    n = strcspn(item, " \t");
    snprintf(out, bytes, "%.*s", n < bytes ? (int)n : 0, item);
}

/* "10.0.0.1", "10.0.0.1:80", "::1" or "[::1]:80"; false: none of them. */
static bool read_address(char *text, struct address *out)
{
    char *colon = strchr(text, ':');

    if (*text == '[') {
        char *end = strchr(text, ']');

        if (!end) return false;
        *end = '\0';
        text++;
    } else if (colon && !strchr(colon + 1, ':'))
        *colon = '\0';
    return strcmp(text, "localhost") != 0 && !address_parse(text, 0, out, NULL);
}

void proxy_read(const struct head *h, const struct address *peer, bool trust, struct proxied *out)
{
    char text[64];

    *out = (struct proxied){.user = "", .from = *peer};
    if (!trust || !address_local(peer)) return;
    out->user = head_value(h, "x-forwarded-user");
    last_item(h, "x-forwarded-proto", text, sizeof text);
    out->secure = strcasecmp(text, "https") == 0;
    last_item(h, "x-forwarded-for", text, sizeof text);
    if (!read_address(text, &out->from)) out->from = *peer;
}

bool proxy_passed(const struct head *h)
{
    static const char *const names[] = {"forwarded", "via", "x-real-ip"};

    for (int i = 0; i < h->fields; i++) {
        if (strncmp(h->field[i].name, "x-forwarded-", 12) == 0) return true;
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (strcmp(h->field[i].name, names[k]) == 0) return true;
    }
    return false;
}

int proxy_base(const char *base, struct fail *f)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-._~";
    size_t n = strlen(base);

    if (n && n <= 100 && *base == '/' && base[n - 1] == '/' && strspn(base, set) == n
        && !strstr(base, "//") && !strstr(base, "/."))
        return 0;
    fail_set(f, ERR_USAGE, "--base must be a path such as /lab/, not '%.80s'.", base);
    return fail_advise(f, "Begin and end it with a slash; use letters, digits and - . _ ~.");
}

const char *proxy_below(const char *base, const char *path)
{
    size_t n = strlen(base);

    if (strncmp(path, base, n) == 0) return path + n - 1;
    if (strlen(path) == n - 1 && strncmp(path, base, n - 1) == 0) return "/"; /* "/lab" */
    return path;
}
