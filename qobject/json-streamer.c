/*
 * SPDX-License-Identifier: MIT
 *
 * The JSON reader's second step: messages, by counting brackets.
 *
 * Limits keep a sender that never closes its brackets from using up memory or
 * stack.
 */
#include "qemu/osdep.h"
#include "json-internal.h"
#include "qapi/error.h"

#define JSON_MAX_TEXT   (64 * MiB)
#define JSON_MAX_TOKENS (2 * MiB)
#define JSON_MAX_DEPTH  1024
/* A buffer larger than this is not kept for the next message. */
#define JSON_KEEP_TEXT  (64 * KiB)

static void forget_message(JSONMessageParser *p)
{
    p->open_braces = p->open_brackets = 0;
    p->word = 0;
    if (p->text->allocated_len > JSON_KEEP_TEXT) {
        g_string_free(p->text, TRUE);
        p->text = g_string_new(NULL);
        g_array_unref(p->tokens);
        p->tokens = g_array_new(FALSE, FALSE, sizeof(JSONToken));
    }
    g_string_truncate(p->text, 0);
    g_array_set_size(p->tokens, 0);
}

static void fail_message(JSONMessageParser *p, Error *err)
{
    forget_message(p);
    p->emit(p->opaque, NULL, err);
}

static void finish_message(JSONMessageParser *p)
{
    Error *err = NULL;
    QObject *json = json_parser_parse(p->text->str,
                                      (JSONToken *)p->tokens->data,
                                      p->tokens->len, p->ap, &err);

    forget_message(p);
    p->emit(p->opaque, json, err);
}

static bool exceeds(JSONMessageParser *p, bool too_much, const char *what)
{
    Error *err = NULL;

    if (too_much) {
        error_setg(&err, "JSON %s limit exceeded", what);
        json_lexer_reset(p);
        fail_message(p, err);
    }
    return too_much;
}

bool json_streamer_check_size(JSONMessageParser *p)
{
    return !exceeds(p, p->text->len > JSON_MAX_TEXT, "token size");
}

void json_streamer_stray(JSONMessageParser *p)
{
    Error *err = NULL;

    error_setg(&err, "JSON parse error, stray '%s'", p->text->str + p->word);
    fail_message(p, err);
}

void json_streamer_token(JSONMessageParser *p, JSONTokenType type)
{
    JSONToken token = { .type = type, .start = p->word };

    p->open_braces += (type == '{') - (type == '}');
    p->open_brackets += (type == '[') - (type == ']');
    if (!json_streamer_check_size(p) ||
        exceeds(p, p->tokens->len >= JSON_MAX_TOKENS, "token count") ||
        exceeds(p, p->open_braces + p->open_brackets > JSON_MAX_DEPTH,
                "nesting depth")) {
        return;
    }
    g_array_append_val(p->tokens, token);
    g_string_append_c(p->text, '\0');
    p->word = p->text->len;
    /* Complete, or beyond repair */
    if (p->open_braces < 0 || p->open_brackets < 0 ||
        (!p->open_braces && !p->open_brackets)) {
        finish_message(p);
    }
}

void json_message_parser_init(JSONMessageParser *parser,
                              JSONMessageEmit *emit, void *opaque,
                              va_list *ap)
{
    *parser = (JSONMessageParser) {
        .emit = emit,
        .opaque = opaque,
        .ap = ap,
        .text = g_string_new(NULL),
        .tokens = g_array_new(FALSE, FALSE, sizeof(JSONToken)),
    };
    json_lexer_reset(parser);
}

void json_message_parser_feed(JSONMessageParser *parser, const char *buffer,
                              size_t size)
{
    json_lexer_feed(parser, buffer, size);
}

void json_message_parser_flush(JSONMessageParser *parser)
{
    json_lexer_flush(parser);
    if (parser->tokens->len) {
        finish_message(parser);
    }
}

void json_message_parser_destroy(JSONMessageParser *parser)
{
    g_string_free(parser->text, TRUE);
    g_array_unref(parser->tokens);
}
