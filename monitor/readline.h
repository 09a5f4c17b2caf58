/*
 * SPDX-License-Identifier: MIT
 *
 * Editing of a line on a terminal, byte by byte, with history and completion.
 */
#ifndef MONITOR_READLINE_H
#define MONITOR_READLINE_H

typedef struct ReadLineState ReadLineState;

typedef struct ReadLineOps {
    /* Output; as it is. */
    void (*puts)(void *opaque, const char *str);
    /* All output so far shall be seen. */
    void (*flush)(void *opaque);
    /* A whole line, without its end.  Then readline_start() is due. */
    void (*line)(void *opaque, const char *line);
    /*
     * Adds what could follow instead of the last word of @line, which is the
     * line up to the cursor, by readline_add_completion().
     */
    void (*complete)(void *opaque, const char *line);
} ReadLineOps;

ReadLineState *readline_new(const char *prompt, const ReadLineOps *ops,
                            void *opaque);
void readline_free(ReadLineState *rs);

/* Begins a new line: shows the prompt. */
void readline_start(ReadLineState *rs);
/* Shows the line again after other output. */
void readline_redraw(ReadLineState *rs);
void readline_handle_byte(ReadLineState *rs, int ch);
void readline_add_completion(ReadLineState *rs, const char *str);

/* The @index-th latest line, NULL if there are not as many. */
const char *readline_get_history(ReadLineState *rs, unsigned index);

#endif /* MONITOR_READLINE_H */
