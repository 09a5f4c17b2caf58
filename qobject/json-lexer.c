/*
 * SPDX-License-Identifier: MIT
 *
 * The JSON reader's first step: tokens.
 *
 * Invariants:
 * 1. parser->text from parser->word on is what was read of the token at hand;
 *    in states START and SKIP there is nothing.
 * 2. A character that shows that text is no token is part of what is
 *    reported; one that only follows a token is looked at again.
 */
#include "qemu/osdep.h"
#include "json-internal.h"

typedef enum LexState {
    LEX_START,
    LEX_SKIP,               /* after an error */
    LEX_STRING,
    LEX_ESCAPE,             /* in a string, after a backslash */
    LEX_KEYWORD,
    LEX_INTERP,
    /* Numbers, by what was read last */
    LEX_MINUS,
    LEX_ZERO,               /* a leading one, after which no digit may come */
    LEX_DIGITS,
    LEX_POINT,
    LEX_FRACTION,
    LEX_E,
    LEX_E_SIGN,
    LEX_EXPONENT,
} LexState;

/* What a state's word is if it ends there; JSON_END: it must not. */
static const JSONTokenType word_type[] = {
    [LEX_KEYWORD] = JSON_KEYWORD,
    [LEX_INTERP] = JSON_INTERP,
    [LEX_ZERO] = JSON_INTEGER,
    [LEX_DIGITS] = JSON_INTEGER,
    [LEX_FRACTION] = JSON_FLOAT,
    [LEX_EXPONENT] = JSON_FLOAT,
};

/* What next_state() says of characters that do not go on with the word */
enum { WORD_ENDS = -1, WORD_BROKEN = -2 };

static bool is_punctuation(unsigned char c)
{
    return c && strchr("{}[]:,", c);
}

static bool is_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Never part of JSON text, nor of UTF-8 in the second case */
static bool is_forbidden(unsigned char c)
{
    return c < 0x20 || c >= 0xfe;
}

/* Where numbers go on with @c. */
static int next_in_number(LexState state, unsigned char c)
{
    bool digit = g_ascii_isdigit(c);

    switch (state) {
    case LEX_MINUS:
        return c == '0' ? LEX_ZERO : digit ? LEX_DIGITS : WORD_BROKEN;
    case LEX_ZERO:
    case LEX_DIGITS:
        if (digit) {
            return state == LEX_ZERO ? WORD_BROKEN : LEX_DIGITS;
        }
        return c == '.' ? LEX_POINT : c == 'e' || c == 'E' ? LEX_E
                                                            : WORD_ENDS;
    case LEX_POINT:
        return digit ? LEX_FRACTION : WORD_BROKEN;
    case LEX_FRACTION:
        return digit ? LEX_FRACTION : c == 'e' || c == 'E' ? LEX_E
                                                           : WORD_ENDS;
    case LEX_E:
        if (c == '+' || c == '-') {
            return LEX_E_SIGN;
        }
        QEMU_FALLTHROUGH;
    case LEX_E_SIGN:
        return digit ? LEX_EXPONENT : WORD_BROKEN;
    default:
        assert(state == LEX_EXPONENT);
        return digit ? LEX_EXPONENT : WORD_ENDS;
    }
}

/* Where any word goes on with @c. */
static int next_state(JSONMessageParser *p, unsigned char c)
{
    switch (p->lex_state) {
    case LEX_KEYWORD:
        return g_ascii_islower(c) ? LEX_KEYWORD : WORD_ENDS;
    case LEX_INTERP:
        return g_ascii_isalnum(c) ? LEX_INTERP : WORD_ENDS;
    default:
        return next_in_number(p->lex_state, c);
    }
}

static int first_state(JSONMessageParser *p, unsigned char c)
{
    if (c == '"' || c == '\'') {
        return LEX_STRING;
    }
    if (c == '-') {
        return LEX_MINUS;
    }
    if (g_ascii_isdigit(c)) {
        return c == '0' ? LEX_ZERO : LEX_DIGITS;
    }
    if (g_ascii_islower(c)) {
        return LEX_KEYWORD;
    }
    return c == '%' && p->ap ? LEX_INTERP : WORD_BROKEN;
}

static void token(JSONMessageParser *p, JSONTokenType type)
{
    p->lex_state = LEX_START;
    json_streamer_token(p, type);
}

static void stray(JSONMessageParser *p)
{
    p->lex_state = LEX_SKIP;
    json_streamer_stray(p);
}

static void start(JSONMessageParser *p, unsigned char c)
{
    int state;

    if (is_blank(c)) {
        return;
    }
    g_string_append_c(p->text, c);
    if (is_punctuation(c)) {
        token(p, c);
        return;
    }
    state = first_state(p, c);
    if (state == WORD_BROKEN) {
        stray(p);
    } else {
        p->lex_state = state;
    }
}

/* Returns how many of the @size > 0 bytes belong to the string. */
static size_t in_string(JSONMessageParser *p, const char *buf, size_t size)
{
    char quote = p->text->str[p->word];
    size_t n = 0;

    if (p->lex_state == LEX_STRING) {
        while (n < size && buf[n] != quote && buf[n] != '\\' &&
               !is_forbidden(buf[n])) {
            n++;
        }
        if (n) {
            g_string_append_len(p->text, buf, n);
            json_streamer_check_size(p);
            return n;
        }
    }
    g_string_append_c(p->text, buf[0]);
    if (is_forbidden(buf[0])) {
        stray(p);
    } else if (p->lex_state == LEX_ESCAPE) {
        p->lex_state = LEX_STRING;
    } else if (buf[0] == '\\') {
        p->lex_state = LEX_ESCAPE;
    } else {
        token(p, JSON_STRING);
    }
    return 1;
}

/* Returns 1 if @c is part of the word, 0 if it only ends it. */
static size_t in_word(JSONMessageParser *p, unsigned char c)
{
    int state = next_state(p, c);

    if (state == WORD_ENDS) {
        token(p, word_type[p->lex_state]);
        return 0;
    }
    g_string_append_c(p->text, c);
    if (state == WORD_BROKEN) {
        stray(p);
    } else {
        p->lex_state = state;
        json_streamer_check_size(p);
    }
    return 1;
}

static size_t skip(JSONMessageParser *p, unsigned char c)
{
    if (is_punctuation(c) || c == '\n' || c == '\r' ||
        (c != '\t' && is_forbidden(c))) {
        p->lex_state = LEX_START;
        return 0;
    }
    return 1;
}

void json_lexer_reset(JSONMessageParser *p)
{
    p->lex_state = LEX_START;
}

void json_lexer_feed(JSONMessageParser *p, const char *buf, size_t size)
{
    size_t i = 0;

    while (i < size) {
        switch (p->lex_state) {
        case LEX_START:
            start(p, buf[i++]);
            break;
        case LEX_SKIP:
            i += skip(p, buf[i]);
            break;
        case LEX_STRING:
        case LEX_ESCAPE:
            i += in_string(p, buf + i, size - i);
            break;
        default:
            i += in_word(p, buf[i]);
            break;
        }
    }
}

void json_lexer_flush(JSONMessageParser *p)
{
    if (p->lex_state > LEX_SKIP) {
        JSONTokenType type = p->lex_state < ARRAY_SIZE(word_type)
                             ? word_type[p->lex_state] : JSON_END;

        if (type == JSON_END) {
            stray(p);
        } else {
            token(p, type);
        }
    }
    p->lex_state = LEX_START;
}
