/*
 * SPDX-License-Identifier: MIT
 *
 * A streaming JSON reader.
 */
#ifndef JSON_PARSER_H
#define JSON_PARSER_H

#include "qapi/qmp/qobject.h"

/* One message, or an error in the text; owned by the callee. */
typedef void JSONMessageEmit(void *opaque, QObject *json, Error *err);

struct JSONMessageParser {
    JSONMessageEmit *emit;
    void *opaque;
    va_list *ap;            /* interpolation, or NULL */
    int state;              /* of the lexer */
    int brace_count;
    int bracket_count;
    GString *token;         /* being read */
    GQueue tokens;          /* of the message being read */
    uint64_t token_size;    /* their bytes */
};

void json_message_parser_init(JSONMessageParser *parser,
                              JSONMessageEmit *emit, void *opaque,
                              va_list *ap);
/* @size bytes more; calls emit for each message that they complete. */
void json_message_parser_feed(JSONMessageParser *parser, const char *buffer,
                              size_t size);
/* The text ends here. */
void json_message_parser_flush(JSONMessageParser *parser);
void json_message_parser_destroy(JSONMessageParser *parser);

#endif
