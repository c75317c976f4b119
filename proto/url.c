/* url - one form only: lowercase digits, nothing before, between or behind. */
#include "proto/url.h"

#include <stdio.h>
#include <string.h>

enum { PREFIX = sizeof URL_PICTURES - 1, DIGITS = URL_DIGEST - 1 };
_Static_assert(sizeof URL_THUMBNAILS == sizeof URL_PICTURES, "one length for both");

void url_picture(const char *digest, char out[URL_TEXT])
{
    snprintf(out, URL_TEXT, URL_PICTURES "%s.png", digest);
}

static bool parse(const char *url, const char *prefix, const char *end, char digest[URL_DIGEST])
{
    if (strncmp(url, prefix, PREFIX) != 0) return false;
    url += PREFIX;
    if (strspn(url, "0123456789abcdef") != DIGITS || strcmp(url + DIGITS, end) != 0) return false;
    memcpy(digest, url, DIGITS);
    digest[DIGITS] = '\0';
    return true;
}

bool url_picture_parse(const char *url, char digest[URL_DIGEST])
{
    return parse(url, URL_PICTURES, ".png", digest);
}

bool url_thumbnail_parse(const char *url, char digest[URL_DIGEST])
{
    return parse(url, URL_THUMBNAILS, ".jpg", digest);
}
