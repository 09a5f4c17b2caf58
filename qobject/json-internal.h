/*
 * SPDX-License-Identifier: MIT
 *
 * What the parts of the JSON reader share: json-lexer.c makes tokens of
 * characters, json-streamer.c messages of tokens, json-parser.c values of
 * messages.
 */
#ifndef JSON_INTERNAL_H
#define JSON_INTERNAL_H

#include "qapi/qmp/json-parser.h"

typedef enum JSONTokenType {
    JSON_ERROR,
    JSON_LCURLY = '{',
    JSON_RCURLY = '}',
    JSON_LSQUARE = '[',
    JSON_RSQUARE = ']',
    JSON_COLON = ':',
    JSON_COMMA = ',',
    JSON_INTEGER = 256,
    JSON_FLOAT,
    JSON_KEYWORD,
    JSON_STRING,
    JSON_INTERP,
    JSON_END_OF_INPUT,
} JSONTokenType;

typedef struct JSONToken {
    JSONTokenType type;
    char str[];
} JSONToken;

/* json-lexer.c */
void json_lexer_feed(JSONMessageParser *parser, const char *buf, size_t size);
void json_lexer_flush(JSONMessageParser *parser);
/* json-streamer.c: the lexer has a token */
void json_message_process_token(JSONMessageParser *parser, const char *str,
                                size_t len, JSONTokenType type);
/* json-parser.c: consumes the tokens */
QObject *json_parser_parse(GQueue *tokens, va_list *ap, Error **errp);

#endif
