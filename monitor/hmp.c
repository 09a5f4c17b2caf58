/*
 * SPDX-License-Identifier: MIT
 *
 * Monitors for people: tables of commands, from a line to arguments.
 */
#include "qemu/osdep.h"
#include "monitor-internal.h"
#include "monitor/hmp.h"
#include "qapi/error.h"
#include "qemu/atomic.h"
#include "qemu/cutils.h"
#include "qemu/units.h"

static GPtrArray *commands[2];      /* [1]: of "info"; sorted by name */

/* ---- Tables ---- */

/* Does @word mean @cmd, whose name may be a list of names? */
static bool name_matches(const HMPCommand *cmd, const char *word, size_t len)
{
    const char *p = cmd->name;

    while (p) {
        const char *end = strchrnul(p, '|');

        if ((size_t)(end - p) == len && !memcmp(p, word, len)) {
            return true;
        }
        p = *end ? end + 1 : NULL;
    }
    return false;
}

static const HMPCommand *find_command(bool info, const char *word, size_t len)
{
    for (guint i = 0; commands[info] && i < commands[info]->len; i++) {
        const HMPCommand *cmd = g_ptr_array_index(commands[info], i);

        if (name_matches(cmd, word, len)) {
            return cmd;
        }
    }
    return NULL;
}

static gint compare_commands(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const HMPCommand *const *)a)->name,
                  (*(const HMPCommand *const *)b)->name);
}

static void register_table(bool info, const HMPCommand *table)
{
    if (!commands[info]) {
        commands[info] = g_ptr_array_new();
    }
    for (; table->name; table++) {
        g_ptr_array_add(commands[info], (void *)table);
    }
    g_ptr_array_sort(commands[info], compare_commands);
}

void hmp_register_commands(const HMPCommand *table)
{
    register_table(false, table);
}

void hmp_register_info_commands(const HMPCommand *table)
{
    register_table(true, table);
}

const char *hmp_command_name(bool info, unsigned index)
{
    return commands[info] && index < commands[info]->len
           ? ((HMPCommand *)g_ptr_array_index(commands[info], index))->name
           : NULL;
}

/* ---- Arguments ---- */

static const char *skip_blanks(const char *p)
{
    while (g_ascii_isspace(*p)) {
        p++;
    }
    return p;
}

/* Adds the character that @p, behind a backslash, stands for. */
static bool unescape(Monitor *mon, GString *word, char c)
{
    static const char from[] = "nr\\'\"", to[] = "\n\r\\'\"";
    const char *p = c ? strchr(from, c) : NULL;

    if (!p) {
        monitor_printf(mon, "unsupported escape code: '\\%c'\n", c);
        return false;
    }
    g_string_append_c(word, to[p - from]);
    return true;
}

/*
 * Takes a word, in quotes or up to the next blank, off *@pp.  NULL: there is
 * none, or its end is missing, which is reported.
 */
static char *take_word(Monitor *mon, const char **pp)
{
    const char *p = skip_blanks(*pp);
    GString *word = g_string_new(NULL);
    bool ok = *p != '\0';

    if (*p == '"') {
        for (p++; ok && *p && *p != '"'; p++) {
            if (*p != '\\') {
                g_string_append_c(word, *p);
            } else if (!p[1]) {
                break;
            } else {
                ok = unescape(mon, word, *++p);
            }
        }
        if (ok && *p != '"') {
            monitor_printf(mon, "unterminated string\n");
            ok = false;
        } else if (ok) {
            p++;
        }
    } else {
        for (; *p && !g_ascii_isspace(*p); p++) {
            g_string_append_c(word, *p);
        }
    }
    *pp = p;
    return g_string_free(word, !ok);
}

static bool take_string(Monitor *mon, const HMPCommand *cmd, char type,
                        const char *key, bool optional, const char **pp,
                        QDict *args)
{
    g_autofree char *word = take_word(mon, pp);

    if (word) {
        qdict_put_str(args, key, word);
        return true;
    }
    if (optional) {
        return true;
    }
    monitor_printf(mon, "%.*s: %s expected\n",
                   (int)strcspn(cmd->name, "|"), cmd->name,
                   type == 'F' ? "filename"
                   : type == 'B' ? "block device name" : "string");
    return false;
}

/* There is none at @p, or one up to @end that is not for us. */
static void complain_about_number(Monitor *mon, const char *p,
                                  const char *end)
{
    if (end != p) {
        monitor_printf(mon, "number too large\n");
    } else if (!*p) {
        monitor_printf(mon, "unexpected end of expression\n");
    } else {
        monitor_printf(mon, "invalid char '%c' in expression\n", *p);
    }
}

static bool take_number(Monitor *mon, char type, const char *key,
                        const char **pp, QDict *args)
{
    const char *p = skip_blanks(*pp), *end;
    int64_t value;

    if (qemu_strtoi64(p, &end, 0, &value) < 0) {
        complain_about_number(mon, p, end);
        return false;
    }
    if (type == 'i' && (value < INT32_MIN || value > UINT32_MAX)) {
        monitor_printf(mon, "'%.*s' has failed: integer is for 32-bit "
                       "values\n", (int)(end - p), p);
        return false;
    }
    *pp = end;
    qdict_put_int(args, key, value);
    return true;
}

static bool take_size(Monitor *mon, const char *key, const char **pp,
                      QDict *args)
{
    const char *p = skip_blanks(*pp), *end;
    uint64_t value;

    if (qemu_strtosz_MiB(p, &end, &value) < 0 || value > INT64_MAX) {
        monitor_printf(mon, "invalid size\n");
        return false;
    }
    *pp = end;
    qdict_put_int(args, key, value);
    return true;
}

static bool take_time(Monitor *mon, const char *key, const char **pp,
                      QDict *args)
{
    const char *p = skip_blanks(*pp), *end;
    double value;

    if (qemu_strtod(p, &end, &value) < 0 || end == p) {
        complain_about_number(mon, p, p);
        return false;
    }
    if (!strncmp(end, "ms", 2)) {
        value /= 1e3;
        end += 2;
    } else if (!strncmp(end, "us", 2)) {
        value /= 1e6;
        end += 2;
    }
    *pp = end;
    qdict_put_int(args, key, (int64_t)(value * 1e9));
    return true;
}

static bool take_switch(Monitor *mon, const char *key, const char **pp,
                        QDict *args)
{
    g_autofree char *word = take_word(mon, pp);
    bool on = word && !strcmp(word, "on");

    if (!on && (!word || strcmp(word, "off"))) {
        monitor_printf(mon, "Expected 'on' or 'off'\n");
        return false;
    }
    qdict_put_bool(args, key, on);
    return true;
}

/* An option "-X": there or not. */
static bool take_option(Monitor *mon, const HMPCommand *cmd, char option,
                        const char *key, const char **pp, QDict *args)
{
    const char *p = skip_blanks(*pp);

    if (*p != '-') {
        return true;
    }
    if (p[1] == option) {
        qdict_put_bool(args, key, true);
        *pp = p + 2;
        return true;
    }
    /* It may be another option of the command, still to come. */
    if (p[1] && strstr(cmd->args_type, (char[]) { ':', '-', p[1], 0 })) {
        return true;
    }
    monitor_printf(mon, "%.*s: unsupported option -%c\n",
                   (int)strcspn(cmd->name, "|"), cmd->name, p[1]);
    return false;
}

static bool take_argument(Monitor *mon, const HMPCommand *cmd,
                          const char *key, const char *type, const char **pp,
                          QDict *args)
{
    bool optional = strchr(type, '?');

    if (type[0] == '-') {
        return take_option(mon, cmd, type[1], key, pp, args);
    }
    *pp = skip_blanks(*pp);
    if (optional && !**pp) {
        return true;
    }
    switch (type[0]) {
    case 's':
    case 'F':
    case 'B':
        return take_string(mon, cmd, type[0], key, optional, pp, args);
    case 'S':
        if (!**pp && !optional) {
            monitor_printf(mon, "%.*s: string expected\n",
                           (int)strcspn(cmd->name, "|"), cmd->name);
            return false;
        }
        qdict_put_str(args, key, *pp);
        *pp += strlen(*pp);
        return true;
    case 'i':
    case 'l':
        return take_number(mon, type[0], key, pp, args);
    case 'o':
        return take_size(mon, key, pp, args);
    case 'T':
        return take_time(mon, key, pp, args);
    case 'b':
        return take_switch(mon, key, pp, args);
    default:
        abort();
    }
}

/* The arguments of @cmd in @p; NULL, with a message, if they are wrong. */
static QDict *parse_arguments(Monitor *mon, const HMPCommand *cmd,
                              const char *p)
{
    g_auto(GStrv) specs = g_strsplit(cmd->args_type, ",", -1);
    QDict *args = qdict_new();

    for (char **spec = specs; *spec && **spec; spec++) {
        char *colon = strchr(*spec, ':');

        *colon = '\0';
        if (!take_argument(mon, cmd, *spec, colon + 1, &p, args)) {
            qobject_unref(args);
            return NULL;
        }
    }
    if (*skip_blanks(p)) {
        monitor_printf(mon, "%s: extraneous characters at the end of line\n",
                       cmd->name);
        qobject_unref(args);
        return NULL;
    }
    return args;
}

/* ---- Help ---- */

static void print_help_on(Monitor *mon, bool info, const HMPCommand *cmd)
{
    monitor_printf(mon, "%s%s %s -- %s\n", info ? "info " : "", cmd->name,
                   cmd->params, cmd->help);
}

static void print_help_on_all(Monitor *mon, bool info)
{
    for (guint i = 0; commands[info] && i < commands[info]->len; i++) {
        print_help_on(mon, info, g_ptr_array_index(commands[info], i));
    }
}

/* Help on @line: a command, "info" and a word, or nothing for all. */
static void print_help(Monitor *mon, const char *line)
{
    const char *p = skip_blanks(line);
    size_t len = strcspn(p, " \t");
    const char *sub = skip_blanks(p + len);
    const HMPCommand *cmd;
    bool info = len == 4 && !memcmp(p, "info", 4);

    if (!len) {
        print_help_on_all(mon, false);
        return;
    }
    if (info && !*sub) {
        print_help_on_all(mon, true);
        return;
    }
    cmd = info ? find_command(true, sub, strcspn(sub, " \t"))
               : find_command(false, p, len);
    if (cmd) {
        print_help_on(mon, info, cmd);
    } else {
        monitor_printf(mon, "unknown command: '%s'\n", p);
    }
}

static void hmp_help(Monitor *mon, const QDict *qdict)
{
    print_help(mon, qdict_get_try_str(qdict, "name") ?: "");
}

/* "info" alone; with a subcommand another table is asked. */
static void hmp_info(Monitor *mon, const QDict *qdict)
{
    print_help_on_all(mon, true);
}

static void hmp_info_history(Monitor *mon, const QDict *qdict)
{
    ReadLineState *rs = ((MonitorHMP *)mon)->rs;
    const char *line;

    for (unsigned i = 0; rs && (line = readline_get_history(rs, i)); i++) {
        monitor_printf(mon, "%u: '%s'\n", i, line);
    }
}

static const HMPCommand own_commands[] = {
    { "help|?", "name:S?", "[cmd]", "show the help", hmp_help },
    { "info", "", "[subcommand]", "show various information", hmp_info },
    { 0 },
};

static const HMPCommand own_info_commands[] = {
    { "history", "", "", "show the command line history", hmp_info_history },
    { 0 },
};

/* ---- Lines ---- */

bool hmp_handle_error(Monitor *mon, Error *err)
{
    if (!err) {
        return false;
    }
    error_reportf_err(err, "Error: ");
    return true;
}

/* The command that *@pp begins with, which then points behind it. */
static const HMPCommand *lookup(Monitor *mon, const char **pp)
{
    const char *line = *pp, *p = line;
    size_t len = strcspn(p, " \t/");
    const HMPCommand *cmd = find_command(false, p, len);

    if (cmd && cmd->cmd == hmp_info && *skip_blanks(p + len)) {
        p = skip_blanks(p + len);
        len = strcspn(p, " \t/");
        cmd = find_command(true, p, len);
    }
    if (!cmd) {
        monitor_printf(mon, "unknown command: '%.*s'\n",
                       (int)(p + len - line), line);
        return NULL;
    }
    *pp = p + len;
    return cmd;
}

void handle_hmp_command(Monitor *mon, const char *cmdline)
{
    const char *line = skip_blanks(cmdline);
    const char *p = line;
    const HMPCommand *cmd;
    Monitor *old;
    QDict *args;

    if (!*p) {
        return;
    }
    cmd = lookup(mon, &p);
    if (!cmd) {
        return;
    }
    args = parse_arguments(mon, cmd, p);
    if (!args) {
        monitor_printf(mon, "Try \"help %.*s\" for more information\n",
                       (int)(p - line), line);
        return;
    }
    old = monitor_set_cur(NULL, mon);
    cmd->cmd(mon, args);
    monitor_set_cur(NULL, old);
    qobject_unref(args);
}

char *hmp_run_captured(const char *cmdline)
{
    MonitorHMP hmp = { 0 };
    char *text;

    monitor_data_init(&hmp.common, false, NULL, NULL, &error_abort);
    handle_hmp_command(&hmp.common, cmdline);
    text = g_strdup(hmp.common.out->str);
    monitor_data_destroy(&hmp.common);
    return text;
}

/* ---- The terminal ---- */

static void rl_puts(void *opaque, const char *str)
{
    Monitor *mon = opaque;

    qemu_mutex_lock(&mon->lock);
    g_string_append(mon->out, str);
    qemu_mutex_unlock(&mon->lock);
}

static void rl_flush(void *opaque)
{
    Monitor *mon = opaque;

    qemu_mutex_lock(&mon->lock);
    monitor_puts_locked(mon, "", 0);
    qemu_mutex_unlock(&mon->lock);
}

static void rl_line(void *opaque, const char *line)
{
    MonitorHMP *hmp = opaque;

    handle_hmp_command(&hmp->common, line);
    if (!atomic_read(&hmp->common.suspend_cnt)) {
        readline_start(hmp->rs);
    }
}

void monitor_hmp_resumed(MonitorHMP *hmp)
{
    readline_start(hmp->rs);
}

static void rl_complete(void *opaque, const char *line)
{
    MonitorHMP *hmp = opaque;
    const char *p = skip_blanks(line);
    bool info = false;
    const char *names;

    if (strstart(p, "info ", &p)) {
        info = true;
        p = skip_blanks(p);
    } else if (!strstart(p, "help ", &p)) {
        strstart(p, "? ", &p);
    }
    if (strchr(p, ' ')) {
        return;
    }
    for (unsigned i = 0; (names = hmp_command_name(info, i)); i++) {
        g_auto(GStrv) list = g_strsplit(names, "|", -1);

        for (char **name = list; *name; name++) {
            if (g_str_has_prefix(*name, p)) {
                readline_add_completion(hmp->rs, *name);
            }
        }
    }
}

static const ReadLineOps readline_ops = {
    .puts = rl_puts,
    .flush = rl_flush,
    .line = rl_line,
    .complete = rl_complete,
};

static int hmp_can_read(void *opaque)
{
    /* What follows a command that suspends the monitor waits outside. */
    return monitor_accepts_input(opaque) ? 1 : 0;
}

static void hmp_read(void *opaque, const uint8_t *buf, int size)
{
    MonitorHMP *hmp = opaque;

    for (int i = 0; i < size; i++) {
        readline_handle_byte(hmp->rs, buf[i]);
    }
}

static void hmp_event(void *opaque, QEMUChrEvent event)
{
    MonitorHMP *hmp = opaque;

    switch (event) {
    case CHR_EVENT_OPENED:
        monitor_printf(&hmp->common, "QEMU %s monitor - type 'help' for more "
                       "information\n", QEMU_VERSION);
        readline_start(hmp->rs);
        break;
    case CHR_EVENT_CLOSED:
        monitor_peer_gone(&hmp->common);
        break;
    default:
        break;
    }
}

bool monitor_init_hmp(Chardev *chr, const char *id, Error **errp)
{
    MonitorHMP *hmp = g_new0(MonitorHMP, 1);

    if (!monitor_data_init(&hmp->common, false, id, chr, errp)) {
        g_free(hmp);
        return false;
    }
    hmp->rs = readline_new("(qemu) ", &readline_ops, hmp);
    qemu_chr_fe_set_echo(&hmp->common.chr, false);
    monitor_list_append(&hmp->common);
    qemu_chr_fe_set_handlers(&hmp->common.chr, hmp_can_read, hmp_read,
                             hmp_event, hmp, NULL);
    return true;
}

void monitor_hmp_destroy(MonitorHMP *hmp)
{
    qemu_chr_fe_set_handlers(&hmp->common.chr, NULL, NULL, NULL, NULL, NULL);
    readline_free(hmp->rs);
}

void monitor_hmp_globals_init(void)
{
    hmp_register_commands(own_commands);
    hmp_register_info_commands(own_info_commands);
}
