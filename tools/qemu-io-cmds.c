/*
 * SPDX-License-Identifier: MIT
 *
 * qemu-io: the table of commands, splitting lines, running commands.
 */
#include "qemu/osdep.h"
#include "qemu-io.h"
#include "qapi/error.h"
#include "qemu/cutils.h"

bool qemuio_misalign;
static const QemuIOCommand *program_commands;

/* ---- Helpers ---- */

int64_t qemuio_parse_size(const char *s)
{
    uint64_t value;
    int err = qemu_strtosz(s, NULL, &value);

    if (err == 0 && value > INT64_MAX) {
        err = -ERANGE;
    }
    if (err == -EINVAL) {
        printf("Parsing error: non-numeric argument, or extraneous/"
               "unrecognized suffix -- %s\n", s);
        return err;
    }
    if (err) {
        printf("Parsing error: argument too large -- %s\n", s);
        return err;
    }
    return value;
}

char *qemuio_size_str(double value)
{
    static const char *const units[] = {
        "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"
    };
    g_autofree char *number = NULL;
    int i = 0;

    while (value >= 1024 && i < ARRAY_SIZE(units) - 1) {
        value /= 1024;
        i++;
    }
    number = g_strdup_printf("%.3f", value);
    if (g_str_has_suffix(number, ".000")) {
        number[strlen(number) - 4] = '\0';
    }
    return g_strdup_printf("%s %s", number, units[i]);
}

/* ---- The tables ---- */

static const QemuIOCommand *const *tables(void)
{
    static const QemuIOCommand *all[4];

    all[0] = qemuio_rw_commands;
    all[1] = qemuio_image_commands;
    all[2] = program_commands;
    return all;
}

void qemuio_add_commands(const QemuIOCommand *table)
{
    program_commands = table;
}

static const QemuIOCommand *find_command(const char *name)
{
    const QemuIOCommand *const *t, *c;

    for (t = tables(); *t; t++) {
        for (c = *t; c->name; c++) {
            if (!strcmp(name, c->name) ||
                (c->altname && !strcmp(name, c->altname))) {
                return c;
            }
        }
    }
    return NULL;
}

static void print_line(const QemuIOCommand *c)
{
    printf("%s ", c->name);
    if (c->args) {
        printf("%s ", c->args);
    }
    printf("-- %s\n", c->oneline);
}

int qemuio_usage(const char *name)
{
    const QemuIOCommand *c = find_command(name);

    if (c) {
        print_line(c);
    }
    return -EINVAL;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(((const QemuIOCommand *)a)->name,
                  ((const QemuIOCommand *)b)->name);
}

static bool arguments_ok(const char *name, int argc, int min, int max)
{
    int n = argc - 1;

    if (n >= min && (max < 0 || n <= max)) {
        return true;
    }
    fprintf(stderr, "bad argument count %d to %s, expected ", n, name);
    if (max < 0) {
        fprintf(stderr, "at least %d arguments\n", min);
    } else if (min == max) {
        fprintf(stderr, "%d arguments\n", min);
    } else {
        fprintf(stderr, "between %d and %d arguments\n", min, max);
    }
    return false;
}

static void list_commands(void)
{
    static const QemuIOCommand help = {
        .name = "help",
        .args = "[command]",
        .oneline = "help for one or all commands",
    };
    GSList *sorted = g_slist_prepend(NULL, (gpointer)&help), *l;
    const QemuIOCommand *const *t, *c;

    for (t = tables(); *t; t++) {
        for (c = *t; c->name; c++) {
            sorted = g_slist_insert_sorted(sorted, (gpointer)c,
                                           compare_names);
        }
    }
    for (l = sorted; l; l = l->next) {
        print_line(l->data);
    }
    g_slist_free(sorted);
    printf("\nUse 'help commandname' for extended help.\n");
}

static int print_help(int argc, char **argv)
{
    const QemuIOCommand *c;

    if (argc == 1) {
        list_commands();
        return 0;
    }
    c = find_command(argv[1]);
    if (!c) {
        printf("command %s not found\n", argv[1]);
        return -EINVAL;
    }
    print_line(c);
    if (c->help) {
        printf("\n%s\n", c->help);
    }
    return 0;
}

/* ---- Running ---- */

/* The permissions of the command, for good: requests may go on after it. */
static int take_permissions(const QemuIOCommand *c, BlockBackend *blk)
{
    uint64_t perm, shared;
    Error *err = NULL;
    int ret;

    if (!c->perm || !blk || !blk_is_available(blk)) {
        return 0;
    }
    blk_get_perm(blk, &perm, &shared);
    if (!(c->perm & ~perm)) {
        return 0;
    }
    ret = blk_set_perm(blk, perm | c->perm, shared, &err);
    if (ret < 0) {
        error_report_err(err);
    }
    return ret;
}

static int run(BlockBackend *blk, int argc, char **argv)
{
    const QemuIOCommand *c;
    int ret;

    if (!strcmp(argv[0], "help") || !strcmp(argv[0], "?")) {
        return arguments_ok("help", argc, 0, 1) ? print_help(argc, argv)
                                                : -EINVAL;
    }
    c = find_command(argv[0]);
    if (!c) {
        fprintf(stderr, "command \"%s\" not found\n", argv[0]);
        return -EINVAL;
    }
    if (!c->nofile && !blk) {
        fprintf(stderr, "no file open, try 'help open'\n");
        return -EINVAL;
    }
    if (!arguments_ok(argv[0], argc, c->argmin, c->argmax)) {
        return -EINVAL;
    }
    ret = take_permissions(c, blk);
    if (ret < 0) {
        return ret;
    }
    /* Each command scans its options from the start. */
    optind = 0;
    return c->fn(blk, argc, argv);
}

int qemuio_command(BlockBackend *blk, const char *cmd)
{
    g_autofree char *copy = g_strdup(cmd);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    char *word, *save = NULL;
    int ret = 0;

    for (word = strtok_r(copy, " \t\r\n", &save); word;
         word = strtok_r(NULL, " \t\r\n", &save)) {
        g_ptr_array_add(argv, word);
    }
    if (argv->len) {
        guint argc = argv->len;

        g_ptr_array_add(argv, NULL);
        ret = run(blk, argc, (char **)argv->pdata);
    }
    fflush(stdout);
    return ret;
}
