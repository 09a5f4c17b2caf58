/*
 * SPDX-License-Identifier: MIT
 *
 * The JSON reader's first step: tokens.
 *
 * Words that are no tokens, and control characters in strings, give a token
 * JSON_ERROR with the text so far; then everything up to the next control
 * character (such as the end of the line) is passed over, so that one error
 * is reported once.
 */
#include "qemu/osdep.h"
#include "json-internal.h"

enum {
    LEX_START,
    LEX_STRING,         /* in a string; token->str[0] is the quote */
    LEX_ESCAPE,         /* after a backslash in it */
    LEX_NUMBER,
    LEX_KEYWORD,
    LEX_INTERP,
    LEX_RECOVERY,
};

static void emit(JSONMessageParser *p, JSONTokenType type)
{
    p->state = type == JSON_ERROR ? LEX_RECOVERY : LEX_START;
    json_message_process_token(p, p->token->str, p->token->len, type);
    g_string_truncate(p->token, 0);
}

/* JSON_INTEGER, JSON_FLOAT or, if it is no number, JSON_ERROR. */
static JSONTokenType classify_number(const char *s)
{
    JSONTokenType type = JSON_INTEGER;

    s += *s == '-';
    if (*s == '0') {
        s++;
    } else if (g_ascii_isdigit(*s)) {
        s += strspn(s, "0123456789");
    } else {
        return JSON_ERROR;
    }
    if (*s == '.') {
        type = JSON_FLOAT;
        s++;
        if (!g_ascii_isdigit(*s)) {
            return JSON_ERROR;
        }
        s += strspn(s, "0123456789");
    }
    if (*s == 'e' || *s == 'E') {
        type = JSON_FLOAT;
        s++;
        s += *s == '+' || *s == '-';
        if (!g_ascii_isdigit(*s)) {
            return JSON_ERROR;
        }
        s += strspn(s, "0123456789");
    }
    return *s ? JSON_ERROR : type;
}

static bool continues_number(char c)
{
    return g_ascii_isdigit(c) || c == '.' || c == 'e' || c == 'E' ||
           c == '+' || c == '-';
}

static void start(JSONMessageParser *p, char c)
{
    if (strchr(" \t\r\n", c) && c) {
        return;
    }
    g_string_append_c(p->token, c);
    if (c && strchr("{}[]:,", c)) {
        emit(p, c);
    } else if (c == '"' || c == '\'') {
        p->state = LEX_STRING;
    } else if (c == '-' || g_ascii_isdigit(c)) {
        p->state = LEX_NUMBER;
    } else if (g_ascii_islower(c)) {
        p->state = LEX_KEYWORD;
    } else if (c == '%' && p->ap) {
        p->state = LEX_INTERP;
    } else {
        emit(p, JSON_ERROR);
    }
}

/* In a string. */
static void in_string(JSONMessageParser *p, char c)
{
    g_string_append_c(p->token, c);
    if ((unsigned char)c < 0x20 || (unsigned char)c >= 0xfe) {
        emit(p, JSON_ERROR);
        /* The character itself may have been the end of the line. */
        p->state = (unsigned char)c < 0x20 ? LEX_START : LEX_RECOVERY;
    } else if (p->state == LEX_ESCAPE) {
        p->state = LEX_STRING;
    } else if (c == '\\') {
        p->state = LEX_ESCAPE;
    } else if (c == p->token->str[0]) {
        emit(p, JSON_STRING);
    }
}

/* A word has ended before the character at hand. */
static void end_word(JSONMessageParser *p)
{
    switch (p->state) {
    case LEX_NUMBER:
        emit(p, classify_number(p->token->str));
        break;
    case LEX_KEYWORD:
        emit(p, JSON_KEYWORD);
        break;
    case LEX_INTERP:
        emit(p, p->token->len > 1 ? JSON_INTERP : JSON_ERROR);
        break;
    }
}

static void feed_char(JSONMessageParser *p, char c)
{
    switch (p->state) {
    case LEX_RECOVERY:
        if ((unsigned char)c < 0x20) {
            p->state = LEX_START;
        }
        return;
    case LEX_STRING:
    case LEX_ESCAPE:
        in_string(p, c);
        return;
    case LEX_NUMBER:
        if (continues_number(c)) {
            g_string_append_c(p->token, c);
            return;
        }
        break;
    case LEX_KEYWORD:
        if (g_ascii_islower(c)) {
            g_string_append_c(p->token, c);
            return;
        }
        break;
    case LEX_INTERP:
        if (g_ascii_isalnum(c)) {
            g_string_append_c(p->token, c);
            return;
        }
        break;
    }
    if (p->state != LEX_START) {
        end_word(p);
        if (p->state == LEX_RECOVERY) {
            feed_char(p, c);
            return;
        }
    }
    start(p, c);
}

void json_lexer_feed(JSONMessageParser *p, const char *buf, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) {
        feed_char(p, buf[i]);
    }
}

void json_lexer_flush(JSONMessageParser *p)
{
    if (p->state == LEX_STRING || p->state == LEX_ESCAPE) {
        emit(p, JSON_ERROR);
    } else {
        end_word(p);
    }
    p->state = LEX_START;
    json_message_process_token(p, "", 0, JSON_END_OF_INPUT);
}
