/*
 * SPDX-License-Identifier: MIT
 *
 * Editing of a line on a terminal.
 *
 * 1. What the terminal shows is the prompt, @shown_len characters of an older
 *    or the same line, and the cursor @shown_pos characters behind the prompt.
 * 2. An edit changes @line and @pos only; update() then makes the terminal
 *    agree.
 */
#include "qemu/osdep.h"
#include "readline.h"

enum { MAX_LINE = 4095, MAX_HISTORY = 64 };

/* Progress in an escape sequence. */
typedef enum { PLAIN, ESC, CSI, SS3 } EscState;

struct ReadLineState {
    const ReadLineOps *ops;
    void *opaque;
    char *prompt;
    GString *line;
    size_t pos;
    /* On the terminal. */
    GString *shown;
    size_t shown_pos;
    EscState esc;
    int esc_param;
    GPtrArray *history;         /* the latest at the end */
    unsigned history_back;      /* 0: the line being edited */
    char *edited;               /* that line, while history is shown */
    GPtrArray *completions;
};

ReadLineState *readline_new(const char *prompt, const ReadLineOps *ops,
                            void *opaque)
{
    ReadLineState *rs = g_new0(ReadLineState, 1);

    rs->ops = ops;
    rs->opaque = opaque;
    rs->prompt = g_strdup(prompt);
    rs->line = g_string_new(NULL);
    rs->shown = g_string_new(NULL);
    rs->history = g_ptr_array_new_with_free_func(g_free);
    rs->completions = g_ptr_array_new_with_free_func(g_free);
    return rs;
}

void readline_free(ReadLineState *rs)
{
    g_free(rs->prompt);
    g_string_free(rs->line, true);
    g_string_free(rs->shown, true);
    g_ptr_array_free(rs->history, true);
    g_ptr_array_free(rs->completions, true);
    g_free(rs->edited);
    g_free(rs);
}

/* ---- The terminal ---- */

static void move_cursor(GString *out, size_t from, size_t to)
{
    for (; from > to; from--) {
        g_string_append(out, "\033[D");
    }
    for (; from < to; from++) {
        g_string_append(out, "\033[C");
    }
}

static void update(ReadLineState *rs)
{
    GString *out = g_string_new(NULL);

    if (!g_string_equal(rs->line, rs->shown)) {
        move_cursor(out, rs->shown_pos, 0);
        g_string_append(out, rs->line->str);
        g_string_append(out, "\033[K");
        g_string_assign(rs->shown, rs->line->str);
        rs->shown_pos = rs->line->len;
    }
    move_cursor(out, rs->shown_pos, rs->pos);
    rs->shown_pos = rs->pos;
    if (out->len) {
        rs->ops->puts(rs->opaque, out->str);
    }
    g_string_free(out, true);
    rs->ops->flush(rs->opaque);
}

void readline_start(ReadLineState *rs)
{
    g_string_truncate(rs->line, 0);
    rs->pos = 0;
    rs->esc = PLAIN;
    rs->history_back = 0;
    readline_redraw(rs);
}

void readline_redraw(ReadLineState *rs)
{
    rs->ops->puts(rs->opaque, rs->prompt);
    g_string_truncate(rs->shown, 0);
    rs->shown_pos = 0;
    update(rs);
}

/* ---- Editing ---- */

static void insert(ReadLineState *rs, const char *text)
{
    size_t len = MIN(strlen(text), MAX_LINE - rs->line->len);

    g_string_insert_len(rs->line, rs->pos, text, len);
    rs->pos += len;
}

static void erase(ReadLineState *rs, size_t from, size_t to)
{
    g_string_erase(rs->line, from, to - from);
    rs->pos = from;
}

static void backspace(ReadLineState *rs)
{
    if (rs->pos > 0) {
        erase(rs, rs->pos - 1, rs->pos);
    }
}

static void delete_char(ReadLineState *rs)
{
    if (rs->pos < rs->line->len) {
        erase(rs, rs->pos, rs->pos + 1);
    }
}

static void delete_word(ReadLineState *rs)
{
    size_t from = rs->pos;

    while (from > 0 && g_ascii_isspace(rs->line->str[from - 1])) {
        from--;
    }
    while (from > 0 && !g_ascii_isspace(rs->line->str[from - 1])) {
        from--;
    }
    erase(rs, from, rs->pos);
}

static void move_to(ReadLineState *rs, ssize_t pos)
{
    rs->pos = CLAMP(pos, 0, (ssize_t)rs->line->len);
}

/* ---- History ---- */

const char *readline_get_history(ReadLineState *rs, unsigned index)
{
    return index < rs->history->len
           ? g_ptr_array_index(rs->history, rs->history->len - 1 - index)
           : NULL;
}

static void remember(ReadLineState *rs)
{
    if (!rs->line->len) {
        return;
    }
    /* A line that was there already becomes the latest. */
    for (guint i = 0; i < rs->history->len; i++) {
        if (!strcmp(g_ptr_array_index(rs->history, i), rs->line->str)) {
            g_ptr_array_remove_index(rs->history, i);
            break;
        }
    }
    if (rs->history->len == MAX_HISTORY) {
        g_ptr_array_remove_index(rs->history, 0);
    }
    g_ptr_array_add(rs->history, g_strdup(rs->line->str));
}

static void show_history(ReadLineState *rs, int direction)
{
    unsigned back = rs->history_back + direction;
    const char *text;

    if (direction < 0 && rs->history_back == 0) {
        return;
    }
    if (direction > 0 && rs->history_back == 0) {
        g_free(rs->edited);
        rs->edited = g_strdup(rs->line->str);
    }
    text = back ? readline_get_history(rs, back - 1) : rs->edited;
    if (!text) {
        return;
    }
    rs->history_back = back;
    g_string_assign(rs->line, text);
    rs->pos = rs->line->len;
}

/* ---- Completion ---- */

void readline_add_completion(ReadLineState *rs, const char *str)
{
    for (guint i = 0; i < rs->completions->len; i++) {
        if (!strcmp(g_ptr_array_index(rs->completions, i), str)) {
            return;
        }
    }
    g_ptr_array_add(rs->completions, g_strdup(str));
}

static size_t common_prefix(GPtrArray *words)
{
    const char *first = g_ptr_array_index(words, 0);
    size_t len = strlen(first);

    for (guint i = 1; i < words->len; i++) {
        const char *word = g_ptr_array_index(words, i);
        size_t n = 0;

        while (n < len && word[n] == first[n]) {
            n++;
        }
        len = n;
    }
    return len;
}

static gint compare_words(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_completions(ReadLineState *rs)
{
    enum { WIDTH = 80 };
    GString *out = g_string_new("\r\n");
    size_t column = 0, widest = 0;

    g_ptr_array_sort(rs->completions, compare_words);
    for (guint i = 0; i < rs->completions->len; i++) {
        size_t len = strlen(g_ptr_array_index(rs->completions, i));

        widest = MAX(widest, len + 2);
    }
    for (guint i = 0; i < rs->completions->len; i++) {
        if (column && column + widest > WIDTH) {
            g_string_append(out, "\r\n");
            column = 0;
        }
        g_string_append_printf(out, "%-*s", (int)widest,
                               (char *)g_ptr_array_index(rs->completions, i));
        column += widest;
    }
    g_string_append(out, "\r\n");
    rs->ops->puts(rs->opaque, out->str);
    g_string_free(out, true);
    readline_redraw(rs);
}

static void complete(ReadLineState *rs)
{
    g_autofree char *before = g_strndup(rs->line->str, rs->pos);
    const char *word = before + strlen(before);
    size_t len, typed;

    g_ptr_array_set_size(rs->completions, 0);
    rs->ops->complete(rs->opaque, before);
    if (!rs->completions->len) {
        return;
    }
    while (word > before && word[-1] != ' ') {
        word--;
    }
    typed = strlen(word);
    len = common_prefix(rs->completions);
    if (len > typed) {
        g_autofree char *more =
            g_strndup((char *)g_ptr_array_index(rs->completions, 0) + typed,
                      len - typed);

        insert(rs, more);
    }
    if (rs->completions->len == 1) {
        insert(rs, " ");
    } else if (len == typed) {
        list_completions(rs);
    }
}

/* ---- Keys ---- */

static void end_of_line(ReadLineState *rs)
{
    g_autofree char *line = g_strdup(rs->line->str);

    /* The command may print past us. */
    rs->ops->puts(rs->opaque, "\r\n");
    rs->ops->flush(rs->opaque);
    remember(rs);
    rs->ops->line(rs->opaque, line);
}

static void handle_final(ReadLineState *rs, int ch)
{
    switch (ch) {
    case 'A':
        show_history(rs, 1);
        break;
    case 'B':
        show_history(rs, -1);
        break;
    case 'C':
        move_to(rs, rs->pos + 1);
        break;
    case 'D':
        move_to(rs, (ssize_t)rs->pos - 1);
        break;
    case 'H':
        move_to(rs, 0);
        break;
    case 'F':
        move_to(rs, rs->line->len);
        break;
    case '~':
        if (rs->esc_param == 1 || rs->esc_param == 7) {
            move_to(rs, 0);
        } else if (rs->esc_param == 4 || rs->esc_param == 8) {
            move_to(rs, rs->line->len);
        } else if (rs->esc_param == 3) {
            delete_char(rs);
        }
        break;
    }
}

static void handle_escape(ReadLineState *rs, int ch)
{
    if (rs->esc == ESC) {
        rs->esc = ch == '[' ? CSI : ch == 'O' ? SS3 : PLAIN;
        rs->esc_param = 0;
        return;
    }
    if (rs->esc == CSI && g_ascii_isdigit(ch)) {
        rs->esc_param = (rs->esc_param * 10 + ch - '0') % 1000;
        return;
    }
    rs->esc = PLAIN;
    handle_final(rs, ch);
    update(rs);
}

#define CTRL(c) ((c) - 'A' + 1)

static void handle_key(ReadLineState *rs, int ch)
{
    char text[2] = { ch, 0 };

    switch (ch) {
    case CTRL('A'):
        move_to(rs, 0);
        break;
    case CTRL('B'):
        move_to(rs, (ssize_t)rs->pos - 1);
        break;
    case CTRL('D'):
        delete_char(rs);
        break;
    case CTRL('E'):
        move_to(rs, rs->line->len);
        break;
    case CTRL('F'):
        move_to(rs, rs->pos + 1);
        break;
    case CTRL('I'):
        complete(rs);
        break;
    case CTRL('K'):
        erase(rs, rs->pos, rs->line->len);
        break;
    case CTRL('L'):
        rs->ops->puts(rs->opaque, "\033[2J\033[1;1H");
        readline_redraw(rs);
        break;
    case CTRL('N'):
        show_history(rs, -1);
        break;
    case CTRL('P'):
        show_history(rs, 1);
        break;
    case CTRL('U'):
        erase(rs, 0, rs->pos);
        break;
    case CTRL('W'):
        delete_word(rs);
        break;
    case CTRL('H'):
    case 0x7f:
        backspace(rs);
        break;
    default:
        if (ch >= ' ') {
            insert(rs, text);
        }
        break;
    }
    update(rs);
}

void readline_handle_byte(ReadLineState *rs, int ch)
{
    if (rs->esc != PLAIN) {
        handle_escape(rs, ch);
    } else if (ch == '\n' || ch == '\r') {
        end_of_line(rs);
    } else if (ch == 0x1b) {
        rs->esc = ESC;
    } else {
        handle_key(rs, ch);
    }
}
