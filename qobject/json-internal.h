/*
 * SPDX-License-Identifier: MIT
 *
 * What the parts of JSON share: json-lexer.c makes tokens of characters,
 * json-streamer.c messages of tokens, json-parser.c values of messages;
 * json-utf8.c is for reader and writer.
 */
#ifndef JSON_INTERNAL_H
#define JSON_INTERNAL_H

#include "qapi/qmp/json-parser.h"

/* Punctuation stands for itself. */
typedef enum JSONTokenType {
    JSON_END = 0,           /* of the message */
    JSON_INTEGER = 256,
    JSON_FLOAT,
    JSON_KEYWORD,
    JSON_STRING,            /* with its quotes */
    JSON_INTERP,
} JSONTokenType;

typedef struct JSONToken {
    uint32_t type;
    uint32_t start;         /* in the message's text */
} JSONToken;

/* ---- json-lexer.c ---- */
void json_lexer_feed(JSONMessageParser *parser, const char *buf, size_t size);
void json_lexer_flush(JSONMessageParser *parser);
/* The state in which messages start. */
void json_lexer_reset(JSONMessageParser *parser);

/* ---- json-streamer.c ---- */
/* parser->text from parser->word on is a token. */
void json_streamer_token(JSONMessageParser *parser, JSONTokenType type);
/* It is none. */
void json_streamer_stray(JSONMessageParser *parser);
/* False, after dropping the message, if there is too much text. */
bool json_streamer_check_size(JSONMessageParser *parser);

/* ---- json-parser.c ---- */
QObject *json_parser_parse(const char *text, const JSONToken *tokens,
                           size_t count, va_list *ap, Error **errp);

/* ---- json-utf8.c ---- */
/* The character at *str, which is advanced past it, or over the malformed
 * sequence if the result is -1. A zero byte may stand as C0 80. */
int json_utf8_next(const char **str);
bool json_is_character(int codepoint);
void json_utf8_append(GString *str, int codepoint);

#endif
