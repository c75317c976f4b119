/* token - the secret that a user proves its name with: made, checked for typing errors, hashed.
 *
 *   dr_  43 characters  6 characters      the alphabet is 0-9 A-Z a-z
 *        256 random bits, CRC-32 of what stands before it, both in base 62
 *
 * The prefix, the length and the sum let scanners find tokens in what is published by mistake, and
 * tell a mistyped token from a wrong one. What is kept is its BLAKE2b-256 alone: of 256 random bits
 * a fast hash cannot be reversed. Thread: any, no state. */
#ifndef SERVER_STORE_TOKEN_H
#define SERVER_STORE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOKEN_PREFIX        "dr_"
#define TOKEN_DIGITS        43
#define TOKEN_SUM           6
#define TOKEN_LENGTH        (3 + TOKEN_DIGITS + TOKEN_SUM)
#define TOKEN_TEXT          (TOKEN_LENGTH + 1) /* with its NUL */
#define TOKEN_HASH_BYTES    32
#define TOKEN_SHARED        "drs_"             /* the prefix of a shared job's secret, .. */
#define TOKEN_SHARED_LENGTH (TOKEN_LENGTH + 1) /* .. which is else of the same form */
#define TOKEN_SHARED_TEXT   (TOKEN_SHARED_LENGTH + 1)

/* A new one, from the system's random numbers. */
void token_make(char out[TOKEN_TEXT]);
/* The token of these 256 bits, the first byte is the highest. */
void token_format(const uint8_t bits[32], char out[TOKEN_TEXT]);
/* Has the text, len bytes of it, a token's form and the right sum? */
bool token_formed(const char *text, size_t len);
/* The same two for a shared job. */
void token_make_shared(char out[TOKEN_SHARED_TEXT]);
bool token_formed_shared(const char *text, size_t len);
void token_hash(const char *text, size_t len, uint8_t out[TOKEN_HASH_BYTES]);

#endif
