/* hosts - the addresses are taken apart by libcurl, which will also connect: two parsers would
 * disagree. */
#include "server/webhook/hosts.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ITEM_BYTES = 300 };

/* Parts of an address; both are libcurl's to free. */
struct place {
    char *host, *port;
    bool literal;
};

static void place_free(struct place *p)
{
    curl_free(p->host);
    curl_free(p->port);
}

static bool is_literal(const char *host)
{
    struct in_addr v4;

    return *host == '[' || inet_pton(AF_INET, host, &v4) == 1;
}

static bool has(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool there = curl_url_get(u, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return there;
}

/* False: it is no address of http or https, or it has a user's name in it. ports: with
 * CURLU_DEFAULT_PORT the port is the scheme's own when it names none. */
static bool take_apart(const char *url, unsigned ports, struct place *out)
{
    CURLU *u = curl_url();
    bool good;

    *out = (struct place){0};
    good = u && !curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER)
           && (!strncasecmp(url, "https://", 8) || !strncasecmp(url, "http://", 7))
           && !has(u, CURLUPART_FRAGMENT) && !curl_url_get(u, CURLUPART_HOST, &out->host, 0);
    if (good) {
        out->literal = is_literal(out->host);
        if (curl_url_get(u, CURLUPART_PORT, &out->port, ports)) out->port = NULL;
    }
    curl_url_cleanup(u);
    return good;
}

struct item {
    struct place place;
    bool private;
};

/* The next item of the list, from *at on. False: it cannot be read; text holds it. */
static bool next_item(const char **at, char text[ITEM_BYTES], struct item *out)
{
    static const char mark[] = ":private";
    size_t n = strcspn(*at, ","), cut = sizeof mark - 1;
    char url[ITEM_BYTES + 16];

    *out = (struct item){0};
    snprintf(text, ITEM_BYTES, "%.*s", n < ITEM_BYTES ? (int)n : ITEM_BYTES - 1, *at);
    *at += n + ((*at)[n] == ',');
    if (n == 0 || n >= ITEM_BYTES || strpbrk(text, "/?#@ \t%\\")) return false;
    out->private = n > cut && strcmp(text + n - cut, mark) == 0;
    snprintf(url, sizeof url, "http://%.*s/", (int)(out->private ? n - cut : n), text);
    return take_apart(url, 0, &out->place);
}

int hosts_check(const char *list, struct fail *f)
{
    char text[ITEM_BYTES];
    struct item item;

    for (const char *at = list; at && *at;) {
        bool good = next_item(&at, text, &item);

        place_free(&item.place);
        if (good) continue;
        fail_set(f, ERR_USAGE, "--webhook-hosts: '%.100s' is no host.", text);
        return fail_advise(f, "Use names or addresses with commas between them, each with its port "
                              "if that is not 80 or 443: hooks.example.org,build.lan:8080:private");
    }
    return 0;
}

/* The item names the place: its host, and its port or else the scheme's own. */
static bool names(const struct item *item, const struct place *p, const char *own)
{
    return strcasecmp(item->place.host, p->host) == 0
           && strcmp(item->place.port ? item->place.port : own, p->port) == 0;
}

static bool listed(const char *list, const struct place *p, const char *own, bool *private)
{
    char text[ITEM_BYTES];
    bool found = false;

    for (const char *at = list; at && *at && !found;) {
        struct item item;

        found = next_item(&at, text, &item) && names(&item, p, own);
        if (found) *private = item.private || item.place.literal;
        place_free(&item.place);
    }
    return found;
}

int hosts_allow(const char *list, const char *url, bool *private, struct fail *f)
{
    const char *own = strncasecmp(url, "https", 5) == 0 ? "443" : "80";
    struct place p;
    bool good = take_apart(url, CURLU_DEFAULT_PORT, &p), found;

    *private = false;
    found = good && p.port && listed(list, &p, own, private);
    if (!good)
        fail_field(f, ERR_BAD_FIELD, "webhook", "webhook is no address that can be posted to");
    else if (!found)
        fail_field(f, ERR_BAD_FIELD, "webhook", "This server posts nothing to %.200s, port %.8s",
                   p.host, p.port ? p.port : "unknown");
    if (!good)
        fail_advise(f, "Use http:// or https:// and a host, without a user's name and without #.");
    else if (!found)
        fail_advise(f, "An administrator names the hosts that may be used with --webhook-hosts.");
    place_free(&p);
    return found ? 0 : ERR_BAD_FIELD;
}

/* --- addresses -------------------------------------------------------------------------------- */

static bool public_v4(uint32_t a)
{
    static const struct {
        uint32_t net;
        int bits;
    } kept[] = {
        {0x00000000, 8},  /* this network */
        {0x0a000000, 8},  /* private */
        {0x64400000, 10}, /* shared by a provider's customers */
        {0x7f000000, 8},  /* this machine */
        {0xa9fe0000, 16}, /* link local; metadata of cloud machines */
        {0xac100000, 12}, /* private */
        {0xc0000000, 24}, /* protocol assignments */
        {0xc0000200, 24}, /* documentation */
        {0xc0586300, 24}, /* relays to IPv6 */
        {0xc0a80000, 16}, /* private */
        {0xc6120000, 15}, /* benchmarks */
        {0xc6336400, 24}, /* documentation */
        {0xcb007100, 24}, /* documentation */
        {0xe0000000, 3},  /* multicast, reserved, broadcast */
    };

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if ((a ^ kept[i].net) >> (32 - kept[i].bits) == 0) return false;
    return true;
}

/* Global unicast is 2000::/3; what carries an IPv4 address within (6to4, Teredo) and what is for
 * documents is not. */
static bool public_v6(const uint8_t a[16])
{
    static const uint8_t teredo[4] = {0x20, 0x01, 0, 0}, documents[4] = {0x20, 0x01, 0x0d, 0xb8},
                         more[2] = {0x3f, 0xff}, to4[2] = {0x20, 0x02};

    return a[0] >> 5 == 1 && memcmp(a, teredo, 4) != 0 && memcmp(a, documents, 4) != 0
           && memcmp(a, more, 2) != 0 && memcmp(a, to4, 2) != 0;
}

bool hosts_public(const struct sockaddr *a)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (a->sa_family == AF_INET) {
        memcpy(&v4, a, sizeof v4);
        return public_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (a->sa_family != AF_INET6) return false;
    memcpy(&v6, a, sizeof v6);
    return public_v6(v6.sin6_addr.s6_addr);
}
