/* token - base 62 by long division; the sum is zlib's and PNG's CRC-32. */
#include "server/store/token.h"

#include <libdeflate.h>
#include <sodium.h>
#include <string.h>

enum {
    PREFIX = sizeof TOKEN_PREFIX - 1,
    SHARED_PREFIX = sizeof TOKEN_SHARED - 1,
    BASE = 62,
    BITS_BYTES = 32
};

static const char ALPHABET[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* The number is divided by the base, and the result is what was left over. */
static unsigned divide(uint8_t *bytes, size_t n)
{
    unsigned rest = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned part = rest << 8 | bytes[i];

        bytes[i] = (uint8_t)(part / BASE);
        rest = part % BASE;
    }
    return rest;
}

static void put_number(uint8_t *bytes, size_t n, char *out, size_t digits)
{
    for (size_t i = digits; i-- > 0;)
        out[i] = ALPHABET[divide(bytes, n)];
}

static void put_sum(const char *text, size_t len, char out[TOKEN_SUM])
{
    uint32_t sum = libdeflate_crc32(0, text, len);
    uint8_t bytes[4] = {(uint8_t)(sum >> 24), (uint8_t)(sum >> 16), (uint8_t)(sum >> 8),
                        (uint8_t)sum};

    put_number(bytes, sizeof bytes, out, TOKEN_SUM);
}

/* prefix: n bytes. */
static void format(const char *prefix, size_t n, const uint8_t bits[BITS_BYTES], char *out)
{
    uint8_t number[BITS_BYTES];

    memcpy(number, bits, sizeof number);
    memcpy(out, prefix, n);
    put_number(number, sizeof number, out + n, TOKEN_DIGITS);
    put_sum(out, n + TOKEN_DIGITS, out + n + TOKEN_DIGITS);
    out[n + TOKEN_DIGITS + TOKEN_SUM] = '\0';
    sodium_memzero(number, sizeof number);
}

static void make(const char *prefix, size_t n, char *out)
{
    uint8_t bits[BITS_BYTES];

    randombytes_buf(bits, sizeof bits);
    format(prefix, n, bits, out);
    sodium_memzero(bits, sizeof bits);
}

static bool formed(const char *prefix, size_t n, const char *text, size_t len)
{
    char sum[TOKEN_SUM];

    if (len != n + TOKEN_DIGITS + TOKEN_SUM || memcmp(text, prefix, n) != 0) return false;
    for (size_t i = n; i < len; i++)
        if (!text[i] || !strchr(ALPHABET, text[i])) return false;
    put_sum(text, n + TOKEN_DIGITS, sum);
    return memcmp(sum, text + n + TOKEN_DIGITS, TOKEN_SUM) == 0;
}

void token_format(const uint8_t bits[BITS_BYTES], char out[TOKEN_TEXT])
{
    format(TOKEN_PREFIX, PREFIX, bits, out);
}

void token_make(char out[TOKEN_TEXT])
{
    make(TOKEN_PREFIX, PREFIX, out);
}

bool token_formed(const char *text, size_t len)
{
    return formed(TOKEN_PREFIX, PREFIX, text, len);
}

void token_make_shared(char out[TOKEN_SHARED_TEXT])
{
    make(TOKEN_SHARED, SHARED_PREFIX, out);
}

bool token_formed_shared(const char *text, size_t len)
{
    return formed(TOKEN_SHARED, SHARED_PREFIX, text, len);
}

void token_hash(const char *text, size_t len, uint8_t out[TOKEN_HASH_BYTES])
{
    crypto_generichash(out, TOKEN_HASH_BYTES, (const unsigned char *)text, len, NULL, 0);
}
