/* address - numeric addresses only: nothing is looked up, so nothing waits and nothing can be
 * spoofed. */
#include "server/net/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

int address_parse(const char *host, int port, struct address *out, struct fail *f)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

    memset(out, 0, sizeof *out);
    if (strcmp(host, "localhost") == 0) host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(&out->at, &v4, sizeof v4);
        out->len = sizeof v4;
        return 0;
    }
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memcpy(&out->at, &v6, sizeof v6);
        out->len = sizeof v6;
        return 0;
    }
    return fail_set(f, ERR_USAGE, "--host must be a numeric address or localhost, not '%s'.", host);
}

static const struct sockaddr_in *as_v4(const struct address *a)
{
    return (const struct sockaddr_in *)&a->at;
}

static const struct sockaddr_in6 *as_v6(const struct address *a)
{
    return (const struct sockaddr_in6 *)&a->at;
}

bool address_local(const struct address *a)
{
    const struct in6_addr *ip;

    if (a->at.ss_family == AF_UNIX) return true;
    if (a->at.ss_family == AF_INET) return ntohl(as_v4(a)->sin_addr.s_addr) >> 24 == 127;
    ip = &as_v6(a)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(ip) || (IN6_IS_ADDR_V4MAPPED(ip) && ip->s6_addr[12] == 127);
}

int address_port(const struct address *a)
{
    return ntohs(a->at.ss_family == AF_INET ? as_v4(a)->sin_port : as_v6(a)->sin6_port);
}

bool address_same(const struct address *a, const struct address *b)
{
    return address_port(a) == address_port(b) && address_same_host(a, b);
}

bool address_same_host(const struct address *a, const struct address *b)
{
    if (a->at.ss_family != b->at.ss_family) return false;
    if (a->at.ss_family == AF_UNIX) return true; /* clients have no names */
    if (a->at.ss_family == AF_INET) return as_v4(a)->sin_addr.s_addr == as_v4(b)->sin_addr.s_addr;
    return memcmp(&as_v6(a)->sin6_addr, &as_v6(b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

uint64_t address_number(const struct address *a)
{
    uint64_t bits = 1; /* of a unix socket */

    if (a->at.ss_family == AF_INET) {
        bits = (uint64_t)1 << 32 | as_v4(a)->sin_addr.s_addr;
    } else if (a->at.ss_family == AF_INET6) {
        const struct in6_addr *ip = &as_v6(a)->sin6_addr;

        memcpy(&bits, ip->s6_addr + (IN6_IS_ADDR_V4MAPPED(ip) ? 8 : 0), sizeof bits);
    }
    return bits ? bits : 1;
}

void address_text(const struct address *a, char *out, size_t bytes)
{
    char ip[INET6_ADDRSTRLEN] = "?";

    if (a->at.ss_family == AF_UNIX) {
        snprintf(out, bytes, "unix");
    } else if (a->at.ss_family == AF_INET) {
        inet_ntop(AF_INET, &as_v4(a)->sin_addr, ip, sizeof ip);
        snprintf(out, bytes, "%s", ip);
    } else {
        inet_ntop(AF_INET6, &as_v6(a)->sin6_addr, ip, sizeof ip);
        snprintf(out, bytes, "[%s]", ip);
    }
}

int address_exposure(const struct address *a, bool allowed, struct fail *f)
{
    char text[64];

    if (allowed || address_local(a)) return 0;
    address_text(a, text, sizeof text);
    fail_set(f, ERR_USAGE, "Everybody who can reach %s could use this service.", text);
    return fail_advise(f,
                       "Say who may: `darkroom user add NAME`, with the same --data DIR. Or keep "
                       "--host 127.0.0.1 and use a tunnel, or add --open if everybody is what you "
                       "want.");
}
