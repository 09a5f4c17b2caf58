/*
 * SPDX-License-Identifier: MIT
 *
 * Options of the form "key=value,key=value", with a schema.
 *
 * Invariants
 *   1. opts->head has the options in the order in which they were given.
 *   2. An option with a description has a value that was parsed by its type.
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/id.h"
#include "qemu/option.h"
#include "qapi/error.h"
#include "qapi/qmp/qerror.h"

/* ---- Parsing values ---- */

/* The value at @p, up to a single comma; returns where that is. */
const char *get_opt_value(const char *p, char **value)
{
    GString *s = g_string_new(NULL);

    while (*p && (*p != ',' || p[1] == ',')) {
        p += *p == ',';
        g_string_append_c(s, *p++);
    }
    *value = g_string_free(s, FALSE);
    return p;
}

bool parse_option_bool(const char *name, const char *value, bool *ret,
                       Error **errp)
{
    static const char *const on[] = { "on", "yes", "true", "y" };
    static const char *const off[] = { "off", "no", "false", "n" };
    int i;

    for (i = 0; i < ARRAY_SIZE(on); i++) {
        if (!strcmp(value, on[i]) || !strcmp(value, off[i])) {
            *ret = !strcmp(value, on[i]);
            return true;
        }
    }
    error_setg(errp, QERR_INVALID_PARAMETER_VALUE, name, "'on' or 'off'");
    return false;
}

bool parse_option_number(const char *name, const char *value, uint64_t *ret,
                         Error **errp)
{
    int err = qemu_strtou64(value, NULL, 0, ret);

    if (err == -ERANGE) {
        error_setg(errp, "Value '%s' is too large for parameter '%s'",
                   value, name);
        return false;
    }
    if (err) {
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, name, "a number");
        return false;
    }
    return true;
}

bool parse_option_size(const char *name, const char *value, uint64_t *ret,
                       Error **errp)
{
    uint64_t size;
    int err = qemu_strtosz(value, NULL, &size);

    if (err == -ERANGE) {
        error_setg(errp, "Value '%s' is out of range for parameter '%s'",
                   value, name);
        return false;
    }
    if (err) {
        error_setg(errp, QERR_INVALID_PARAMETER_VALUE, name,
                   "a non-negative number below 2^64");
        error_append_hint(errp, "Optional suffix k, M, G, T, P or E means "
                          "kilo-, mega-, giga-, tera-, peta-\n"
                          "and exabytes, respectively.\n");
        return false;
    }
    *ret = size;
    return true;
}

static bool is_help(const char *s)
{
    return !strcmp(s, "?") || !strcmp(s, "help");
}

bool has_help_option(const char *param)
{
    const char *p = param;
    bool result = false;

    while (*p && !result) {
        g_autofree char *value = NULL;

        p = get_opt_value(p, &value);
        p += *p == ',';
        result = is_help(value);
    }
    return result;
}

bool is_valid_option_list(const char *p)
{
    size_t len = strlen(p);
    size_t i, commas = 0;

    if (!len || p[0] == ',') {
        return false;
    }
    /* A single comma at the end would be doubled by what is appended. */
    for (i = len; i > 0 && p[i - 1] == ','; i--) {
        commas++;
    }
    return commas % 2 == 0;
}

/* ---- Descriptions ---- */

static const QemuOptDesc *find_desc(const QemuOptDesc *desc, const char *name)
{
    for (; desc->name; desc++) {
        if (!strcmp(desc->name, name)) {
            return desc;
        }
    }
    return NULL;
}

static bool accepts_any(const QemuOptsList *list)
{
    return !list->desc[0].name;
}

/* Parse opt->str by its type. */
static bool opt_parse(QemuOpt *opt, Error **errp)
{
    if (!opt->desc) {
        return true;
    }
    switch (opt->desc->type) {
    case QEMU_OPT_STRING:
        return true;
    case QEMU_OPT_BOOL:
        return parse_option_bool(opt->name, opt->str, &opt->value.boolean,
                                 errp);
    case QEMU_OPT_NUMBER:
        return parse_option_number(opt->name, opt->str, &opt->value.uint,
                                   errp);
    case QEMU_OPT_SIZE:
        return parse_option_size(opt->name, opt->str, &opt->value.uint, errp);
    }
    g_assert_not_reached();
}

/* ---- Lists ---- */

static GSList *opts_lists;

void qemu_add_opts(QemuOptsList *list)
{
    if (!g_slist_find(opts_lists, list)) {
        opts_lists = g_slist_append(opts_lists, list);
    }
}

QemuOptsList *qemu_find_opts(const char *group)
{
    GSList *l;

    for (l = opts_lists; l; l = l->next) {
        QemuOptsList *list = l->data;

        if (!strcmp(list->name, group)) {
            return list;
        }
    }
    return NULL;
}

QemuOptsList *qemu_find_opts_err(const char *group, Error **errp)
{
    QemuOptsList *list = qemu_find_opts(group);

    if (!list) {
        error_setg(errp, "There is no option group '%s'", group);
    }
    return list;
}

void qemu_opts_lists_foreach(void (*fn)(QemuOptsList *list, void *opaque),
                             void *opaque)
{
    GSList *l;

    for (l = opts_lists; l; l = l->next) {
        fn(l->data, opaque);
    }
}

static size_t count_descs(const QemuOptsList *list)
{
    size_t n = 0;

    while (list && list->desc[n].name) {
        n++;
    }
    return n;
}

QemuOptsList *qemu_opts_append(QemuOptsList *dst, QemuOptsList *list)
{
    size_t n = count_descs(dst), i;
    QemuOptsList *sum;

    if (!list) {
        return dst;
    }
    sum = g_malloc0(sizeof(*sum) + (n + count_descs(list) + 1) *
                                   sizeof(QemuOptDesc));
    sum->name = dst ? dst->name : list->name;
    sum->implied_opt_name = dst ? dst->implied_opt_name
                                : list->implied_opt_name;
    sum->merge_lists = dst ? dst->merge_lists : list->merge_lists;
    QTAILQ_INIT(&sum->head);
    if (dst) {
        memcpy(sum->desc, dst->desc, n * sizeof(QemuOptDesc));
    }
    for (i = 0; list->desc[i].name; i++) {
        if (!find_desc(sum->desc, list->desc[i].name)) {
            sum->desc[n++] = list->desc[i];
        }
    }
    g_free(dst);
    return sum;
}

static const char *const type_names[] = {
    [QEMU_OPT_STRING] = "str",
    [QEMU_OPT_BOOL]   = "bool (on/off)",
    [QEMU_OPT_NUMBER] = "num",
    [QEMU_OPT_SIZE]   = "size",
};

static int compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void qemu_opts_print_help(QemuOptsList *list, bool print_caption)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    guint i;

    for (i = 0; list->desc[i].name; i++) {
        const QemuOptDesc *d = &list->desc[i];
        GString *s = g_string_new(NULL);

        g_string_append_printf(s, "  %s=<%s>", d->name, type_names[d->type]);
        if (d->help) {
            if (s->len < 24) {
                g_string_append_printf(s, "%*s", (int)(24 - s->len), "");
            }
            g_string_append_printf(s, " - %s", d->help);
        }
        g_ptr_array_add(lines, g_string_free(s, FALSE));
    }
    g_ptr_array_sort(lines, compare_strings);
    if (print_caption && lines->len) {
        printf(list->name ? "%s options:\n" : "Options:\n", list->name);
    } else if (print_caption) {
        printf(list->name ? "There are no options for %s.\n"
                          : "No options available.\n", list->name);
    }
    for (i = 0; i < lines->len; i++) {
        printf("%s\n", (char *)lines->pdata[i]);
    }
}

/* ---- Objects ---- */

QemuOpts *qemu_opts_find(QemuOptsList *list, const char *id)
{
    QemuOpts *opts;

    QTAILQ_FOREACH(opts, &list->head, next) {
        if (g_strcmp0(opts->id, id) == 0) {
            return opts;
        }
    }
    return NULL;
}

QemuOpts *qemu_opts_create(QemuOptsList *list, const char *id,
                           int fail_if_exists, Error **errp)
{
    QemuOpts *opts;

    if (id) {
        if (!id_wellformed(id)) {
            error_setg(errp, QERR_INVALID_PARAMETER_VALUE, "id",
                       "an identifier");
            error_append_hint(errp, "Identifiers consist of letters, digits, "
                              "'-', '.', '_', starting with a letter.\n");
            return NULL;
        }
        opts = qemu_opts_find(list, id);
        if (opts) {
            if (fail_if_exists && !list->merge_lists) {
                error_setg(errp, "Duplicate ID '%s' for %s", id, list->name);
                return NULL;
            }
            return opts;
        }
    } else if (list->merge_lists) {
        opts = qemu_opts_find(list, NULL);
        if (opts) {
            return opts;
        }
    }
    opts = g_new0(QemuOpts, 1);
    opts->id = g_strdup(id);
    opts->list = list;
    QTAILQ_INIT(&opts->head);
    QTAILQ_INSERT_TAIL(&list->head, opts, next);
    return opts;
}

static void opt_del(QemuOpt *opt)
{
    QTAILQ_REMOVE(&opt->opts->head, opt, next);
    g_free(opt->name);
    g_free(opt->str);
    g_free(opt);
}

void qemu_opts_del(QemuOpts *opts)
{
    QemuOpt *opt;

    if (!opts) {
        return;
    }
    while ((opt = QTAILQ_FIRST(&opts->head))) {
        opt_del(opt);
    }
    QTAILQ_REMOVE(&opts->list->head, opts, next);
    g_free(opts->id);
    g_free(opts);
}

void qemu_opts_reset(QemuOptsList *list)
{
    QemuOpts *opts, *next;

    QTAILQ_FOREACH_SAFE(opts, &list->head, next, next) {
        qemu_opts_del(opts);
    }
}

const char *qemu_opts_id(QemuOpts *opts)
{
    return opts->id;
}

void qemu_opts_set_id(QemuOpts *opts, char *id)
{
    g_free(opts->id);
    opts->id = id;
}

/* ---- Setting ---- */

static QemuOpt *opt_add(QemuOpts *opts, char *name, char *value)
{
    QemuOpt *opt = g_new0(QemuOpt, 1);

    opt->name = name;
    opt->str = value;
    opt->opts = opts;
    QTAILQ_INSERT_TAIL(&opts->head, opt, next);
    return opt;
}

static bool opt_validate(QemuOpt *opt, Error **errp)
{
    opt->desc = find_desc(opt->opts->list->desc, opt->name);
    if (!opt->desc && !accepts_any(opt->opts->list)) {
        error_setg(errp, QERR_INVALID_PARAMETER, opt->name);
        return false;
    }
    return opt_parse(opt, errp);
}

bool qemu_opt_set(QemuOpts *opts, const char *name, const char *value,
                  Error **errp)
{
    QemuOpt *opt = opt_add(opts, g_strdup(name), g_strdup(value));

    if (!opt_validate(opt, errp)) {
        opt_del(opt);
        return false;
    }
    return true;
}

bool qemu_opt_set_bool(QemuOpts *opts, const char *name, bool val,
                       Error **errp)
{
    return qemu_opt_set(opts, name, val ? "on" : "off", errp);
}

bool qemu_opt_set_number(QemuOpts *opts, const char *name, int64_t val,
                         Error **errp)
{
    g_autofree char *str = g_strdup_printf("%" PRId64, val);

    return qemu_opt_set(opts, name, str, errp);
}

int qemu_opt_unset(QemuOpts *opts, const char *name)
{
    QemuOpt *opt = qemu_opt_find(opts, name);

    if (!opt) {
        return 0;
    }
    opt_del(opt);
    return 1;
}

/* ---- Getting ---- */

QemuOpt *qemu_opt_find(QemuOpts *opts, const char *name)
{
    QemuOpt *opt;

    QTAILQ_FOREACH_REVERSE(opt, &opts->head, next) {
        if (!strcmp(opt->name, name)) {
            return opt;
        }
    }
    return NULL;
}

static const char *find_default(QemuOpts *opts, const char *name)
{
    const QemuOptDesc *desc = find_desc(opts->list->desc, name);

    return desc ? desc->def_value_str : NULL;
}

static void opt_del_all(QemuOpts *opts, const char *name)
{
    QemuOpt *opt;

    while ((opt = qemu_opt_find(opts, name))) {
        opt_del(opt);
    }
}

const char *qemu_opt_get(QemuOpts *opts, const char *name)
{
    QemuOpt *opt;

    if (!opts) {
        return NULL;
    }
    opt = qemu_opt_find(opts, name);
    return opt ? opt->str : find_default(opts, name);
}

char *qemu_opt_get_del(QemuOpts *opts, const char *name)
{
    char *str = g_strdup(qemu_opt_get(opts, name));

    if (opts) {
        opt_del_all(opts, name);
    }
    return str;
}

bool qemu_opt_has_help_opt(QemuOpts *opts)
{
    QemuOpt *opt;

    QTAILQ_FOREACH(opt, &opts->head, next) {
        if (is_help(opt->name)) {
            return true;
        }
    }
    return false;
}

bool qemu_opt_get_bool(QemuOpts *opts, const char *name, bool defval)
{
    QemuOpt *opt = opts ? qemu_opt_find(opts, name) : NULL;
    const char *def;

    if (!opt) {
        def = opts ? find_default(opts, name) : NULL;
        if (def) {
            parse_option_bool(name, def, &defval, &error_abort);
        }
        return defval;
    }
    if (!opt->desc) {
        parse_option_bool(name, opt->str, &defval, &error_abort);
        return defval;
    }
    assert(opt->desc->type == QEMU_OPT_BOOL);
    return opt->value.boolean;
}

bool qemu_opt_get_bool_del(QemuOpts *opts, const char *name, bool defval)
{
    bool ret = qemu_opt_get_bool(opts, name, defval);

    if (opts) {
        opt_del_all(opts, name);
    }
    return ret;
}

static uint64_t get_uint(QemuOpts *opts, const char *name, uint64_t defval,
                         enum QemuOptType type,
                         bool (*parse)(const char *, const char *, uint64_t *,
                                       Error **))
{
    QemuOpt *opt = opts ? qemu_opt_find(opts, name) : NULL;
    const char *str;

    if (opt && opt->desc) {
        assert(opt->desc->type == type);
        return opt->value.uint;
    }
    str = opt ? opt->str : opts ? find_default(opts, name) : NULL;
    if (str) {
        parse(name, str, &defval, &error_abort);
    }
    return defval;
}

uint64_t qemu_opt_get_number(QemuOpts *opts, const char *name,
                             uint64_t defval)
{
    return get_uint(opts, name, defval, QEMU_OPT_NUMBER, parse_option_number);
}

uint64_t qemu_opt_get_size(QemuOpts *opts, const char *name, uint64_t defval)
{
    return get_uint(opts, name, defval, QEMU_OPT_SIZE, parse_option_size);
}

uint64_t qemu_opt_get_number_del(QemuOpts *opts, const char *name,
                                 uint64_t defval)
{
    uint64_t ret = qemu_opt_get_number(opts, name, defval);

    if (opts) {
        opt_del_all(opts, name);
    }
    return ret;
}

uint64_t qemu_opt_get_size_del(QemuOpts *opts, const char *name,
                               uint64_t defval)
{
    uint64_t ret = qemu_opt_get_size(opts, name, defval);

    if (opts) {
        opt_del_all(opts, name);
    }
    return ret;
}

/* ---- Parsing parameters ---- */

/* One "key=value", "key", "nokey" or, at the start with @firstname, "value".
 * Returns what follows. */
static const char *parse_one(const char *p, const char *firstname,
                             bool *is_bool, char **name, char **value)
{
    size_t len = strcspn(p, "=,");

    *is_bool = false;
    if (p[len] == '=') {
        *name = g_strndup(p, len);
        return get_opt_value(p + len + 1, value);
    }
    if (firstname) {
        *name = g_strdup(firstname);
        return get_opt_value(p, value);
    }
    *is_bool = true;
    if (len > 2 && !strncmp(p, "no", 2)) {
        *name = g_strndup(p + 2, len - 2);
        *value = g_strdup("off");
    } else {
        *name = g_strndup(p, len);
        *value = g_strdup("on");
    }
    return p + len;
}

/* Options without "id", which belongs to the object. */
static bool do_parse(QemuOpts *opts, const char *params, const char *firstname,
                     bool *help_wanted, Error **errp)
{
    const char *p = params;

    while (*p) {
        char *name, *value;
        QemuOpt *opt;
        bool is_bool;

        p = parse_one(p, p == params ? firstname : NULL, &is_bool, &name,
                      &value);
        p += *p == ',';
        if (help_wanted && is_bool && is_help(name)) {
            *help_wanted = true;
            g_free(name);
            g_free(value);
            return false;
        }
        if (!strcmp(name, "id")) {
            g_free(name);
            g_free(value);
            continue;
        }
        opt = opt_add(opts, name, value);
        if (!opt_validate(opt, errp)) {
            opt_del(opt);
            return false;
        }
    }
    return true;
}

bool qemu_opts_do_parse(QemuOpts *opts, const char *params,
                        const char *firstname, Error **errp)
{
    return do_parse(opts, params, firstname, NULL, errp);
}

static char *find_id(const char *params, const char *firstname)
{
    const char *p = params;

    while (*p) {
        char *name, *value;
        bool is_bool, found;

        p = parse_one(p, p == params ? firstname : NULL, &is_bool, &name,
                      &value);
        p += *p == ',';
        found = !strcmp(name, "id");
        g_free(name);
        if (found) {
            return value;
        }
        g_free(value);
    }
    return NULL;
}

static QemuOpts *opts_parse(QemuOptsList *list, const char *params,
                            bool permit_abbrev, bool *help_wanted,
                            Error **errp)
{
    const char *firstname = permit_abbrev ? list->implied_opt_name : NULL;
    g_autofree char *id = find_id(params, firstname);
    QemuOpts *opts = qemu_opts_create(list, id, true, errp);

    if (opts && !do_parse(opts, params, firstname, help_wanted, errp)) {
        qemu_opts_del(opts);
        return NULL;
    }
    return opts;
}

QemuOpts *qemu_opts_parse(QemuOptsList *list, const char *params,
                          bool permit_abbrev, Error **errp)
{
    return opts_parse(list, params, permit_abbrev, NULL, errp);
}

QemuOpts *qemu_opts_parse_noisily(QemuOptsList *list, const char *params,
                                  bool permit_abbrev)
{
    Error *err = NULL;
    bool help_wanted = false;
    QemuOpts *opts = opts_parse(list, params, permit_abbrev,
                                accepts_any(list) ? NULL : &help_wanted, &err);

    if (!opts && help_wanted) {
        qemu_opts_print_help(list, true);
        error_free(err);
    } else if (!opts) {
        error_report_err(err);
    }
    return opts;
}

bool qemu_opts_validate(QemuOpts *opts, const QemuOptDesc *desc, Error **errp)
{
    QemuOpt *opt;

    assert(accepts_any(opts->list));
    QTAILQ_FOREACH(opt, &opts->head, next) {
        opt->desc = find_desc(desc, opt->name);
        if (!opt->desc) {
            error_setg(errp, QERR_INVALID_PARAMETER, opt->name);
            return false;
        }
        if (!opt_parse(opt, errp)) {
            return false;
        }
    }
    return true;
}

/* ---- Loops, output ---- */

int qemu_opt_foreach(QemuOpts *opts, qemu_opt_loopfunc func, void *opaque,
                     Error **errp)
{
    QemuOpt *opt;
    int rc;

    QTAILQ_FOREACH(opt, &opts->head, next) {
        rc = func(opaque, opt->name, opt->str, errp);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

int qemu_opts_foreach(QemuOptsList *list, qemu_opts_loopfunc func,
                      void *opaque, Error **errp)
{
    QemuOpts *opts, *next;
    int rc;

    QTAILQ_FOREACH_SAFE(opts, &list->head, next, next) {
        rc = func(opaque, opts, errp);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

/* A value that could be parsed again. */
static void print_escaped(const char *value)
{
    for (; *value; value++) {
        if (*value == ',') {
            putchar(',');
        }
        putchar(*value);
    }
}

void qemu_opts_print(QemuOpts *opts, const char *separator)
{
    const QemuOptDesc *desc = opts->list->desc;
    const char *sep = "";
    QemuOpt *opt;

    if (opts->id) {
        printf("id=%s", opts->id);
        sep = separator;
    }
    if (!desc[0].name) {
        QTAILQ_FOREACH(opt, &opts->head, next) {
            printf("%s%s=", sep, opt->name);
            print_escaped(opt->str);
            sep = separator;
        }
        return;
    }
    for (; desc->name; desc++) {
        const char *value = qemu_opt_get(opts, desc->name);

        if (!value) {
            continue;
        }
        opt = qemu_opt_find(opts, desc->name);
        printf("%s%s=", sep, desc->name);
        if (desc->type == QEMU_OPT_STRING) {
            print_escaped(value);
        } else if (opt && desc->type == QEMU_OPT_SIZE) {
            printf("%" PRIu64, opt->value.uint);
        } else {
            printf("%s", value);
        }
        sep = separator;
    }
}
