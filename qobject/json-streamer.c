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

#define MAX_TOKEN_SIZE  (64 * MiB)
#define MAX_TOKEN_COUNT (2 * MiB)
#define MAX_NESTING     1024

static void drop_tokens(JSONMessageParser *p)
{
    g_queue_clear_full(&p->tokens, g_free);
    p->token_size = 0;
    p->brace_count = 0;
    p->bracket_count = 0;
}

static const char *exceeded_limit(JSONMessageParser *p, size_t len)
{
    if (p->token_size + len + 1 > MAX_TOKEN_SIZE) {
        return "JSON token size limit exceeded";
    }
    if (g_queue_get_length(&p->tokens) + 1 > MAX_TOKEN_COUNT) {
        return "JSON token count limit exceeded";
    }
    if (p->brace_count + p->bracket_count > MAX_NESTING) {
        return "JSON nesting depth limit exceeded";
    }
    return NULL;
}

static void count_brackets(JSONMessageParser *p, JSONTokenType type)
{
    p->brace_count += (type == JSON_LCURLY) - (type == JSON_RCURLY);
    p->bracket_count += (type == JSON_LSQUARE) - (type == JSON_RSQUARE);
}

static void emit_message(JSONMessageParser *p)
{
    Error *err = NULL;
    QObject *json = json_parser_parse(&p->tokens, p->ap, &err);

    drop_tokens(p);
    p->emit(p->opaque, json, err);
}

void json_message_process_token(JSONMessageParser *p, const char *str,
                                size_t len, JSONTokenType type)
{
    const char *limit;
    JSONToken *token;
    Error *err = NULL;

    count_brackets(p, type);
    if (type == JSON_ERROR) {
        drop_tokens(p);
        error_setg(&err, "JSON parse error, stray '%s'", str);
        p->emit(p->opaque, NULL, err);
        return;
    }
    if (type == JSON_END_OF_INPUT) {
        if (!g_queue_is_empty(&p->tokens)) {
            emit_message(p);
        }
        return;
    }
    limit = exceeded_limit(p, len);
    if (limit) {
        drop_tokens(p);
        error_setg(&err, "%s", limit);
        p->emit(p->opaque, NULL, err);
        return;
    }
    token = g_malloc(sizeof(*token) + len + 1);
    token->type = type;
    memcpy(token->str, str, len);
    token->str[len] = '\0';
    p->token_size += len + 1;
    g_queue_push_tail(&p->tokens, token);
    /* Complete, or beyond repair */
    if ((p->brace_count <= 0 && p->bracket_count <= 0) ||
        p->brace_count < 0 || p->bracket_count < 0) {
        emit_message(p);
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
        .token = g_string_new(NULL),
    };
    g_queue_init(&parser->tokens);
}

void json_message_parser_feed(JSONMessageParser *parser, const char *buffer,
                              size_t size)
{
    json_lexer_feed(parser, buffer, size);
}

void json_message_parser_flush(JSONMessageParser *parser)
{
    json_lexer_flush(parser);
    drop_tokens(parser);
}

void json_message_parser_destroy(JSONMessageParser *parser)
{
    drop_tokens(parser);
    g_string_free(parser->token, TRUE);
}
