/* url - one form only: lowercase digits, nothing before, between or behind. */
#include "proto/url.h"

#include <stdio.h>
#include <string.h>

enum { PREFIX = sizeof URL_PICTURES - 1, DIGITS = URL_DIGEST - 1 };

void url_picture(const char *digest, char out[URL_TEXT])
{
    snprintf(out, URL_TEXT, URL_PICTURES "%s.png", digest);
}

bool url_picture_parse(const char *url, char digest[URL_DIGEST])
{
    if (strncmp(url, URL_PICTURES, PREFIX) != 0) return false;
    url += PREFIX;
    if (strspn(url, "0123456789abcdef") != DIGITS || strcmp(url + DIGITS, ".png") != 0)
        return false;
    memcpy(digest, url, DIGITS);
    digest[DIGITS] = '\0';
    return true;
}
