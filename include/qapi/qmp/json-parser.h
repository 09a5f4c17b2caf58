/*
 * SPDX-License-Identifier: MIT
 *
 * A streaming JSON reader: text in, in pieces of any size, values out.
 *
 * The dialect: strings may have single quotes; messages follow each other with
 * or without blanks.  A message ends where its braces and brackets are
 * balanced, or closed once too often.  After a lexical error the message is
 * dropped, and text is passed over up to the next bracket, separator, end of
 * line or control character; a byte 0xFF is such an error, with which clients
 * bring the reader to a known state.
 */
#ifndef JSON_PARSER_H
#define JSON_PARSER_H

#include "qapi/qmp/qobject.h"

/* One message, or an error in the text; owned by the callee. */
typedef void JSONMessageEmit(void *opaque, QObject *json, Error *err);

/* Treat as opaque. */
struct JSONMessageParser {
    /* Immutable after json_message_parser_init() */
    JSONMessageEmit *emit;
    void *opaque;
    va_list *ap;            /* interpolation, or NULL */
    /* The message that is being read */
    int lex_state;
    int open_braces;
    int open_brackets;
    GString *text;          /* of its tokens, each with a zero byte behind */
    size_t word;            /* where the unfinished token starts in it */
    GArray *tokens;         /* the finished ones */
};

void json_message_parser_init(JSONMessageParser *parser,
                              JSONMessageEmit *emit, void *opaque,
                              va_list *ap);
/* @size bytes more; calls emit for each message that they complete. */
void json_message_parser_feed(JSONMessageParser *parser, const char *buffer,
                              size_t size);
/* The text ends here: what is unfinished is an error. */
void json_message_parser_flush(JSONMessageParser *parser);
void json_message_parser_destroy(JSONMessageParser *parser);

#endif
