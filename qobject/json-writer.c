/*
 * SPDX-License-Identifier: MIT
 *
 * QObjects as JSON text.
 *
 * Compact: ", " and ": " as separators.  Pretty: a member or element a line,
 * four blanks a level.  Only ASCII: other characters are escaped; what is no
 * UTF-8 becomes U+FFFD.
 */
#include "qemu/osdep.h"
#include "qapi/qmp/qbool.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qjson.h"
#include "qapi/qmp/qlist.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qstring.h"
#include "json-internal.h"

static void write_unicode(GString *out, gunichar c)
{
    if (c > 0xffff) {
        c -= 0x10000;
        g_string_append_printf(out, "\\u%04X\\u%04X",
                               0xd800 + (c >> 10), 0xdc00 + (c & 0x3ff));
    } else {
        g_string_append_printf(out, "\\u%04X", c);
    }
}

static void write_char(GString *out, gunichar c)
{
    static const char escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    const char *e;

    for (e = escapes; *e; e += 2) {
        if (c == (gunichar)*e) {
            g_string_append_c(out, '\\');
            g_string_append_c(out, e[1]);
            return;
        }
    }
    if (c < 0x20 || c >= 0x7f) {
        write_unicode(out, c);
    } else {
        g_string_append_c(out, c);
    }
}

static void write_string(GString *out, const char *str)
{
    g_string_append_c(out, '"');
    while (*str) {
        int c = json_utf8_next(&str);

        if (c < 0) {
            write_unicode(out, 0xfffd);
        } else {
            write_char(out, c);
        }
    }
    g_string_append_c(out, '"');
}

static void new_line(GString *out, bool pretty, int indent)
{
    if (pretty) {
        g_string_append_printf(out, "\n%*s", 4 * indent, "");
    }
}

static void write_value(GString *out, const QObject *obj, bool pretty,
                        int indent);

static void write_separator(GString *out, bool first, bool pretty, int indent)
{
    if (!first) {
        g_string_append(out, pretty ? "," : ", ");
    }
    new_line(out, pretty, indent);
}

static void write_dict(GString *out, const QDict *dict, bool pretty,
                       int indent)
{
    const QDictEntry *e;

    g_string_append_c(out, '{');
    for (e = qdict_first(dict); e; e = qdict_next(dict, e)) {
        write_separator(out, e == qdict_first(dict), pretty, indent + 1);
        write_string(out, e->key);
        g_string_append(out, ": ");
        write_value(out, e->value, pretty, indent + 1);
    }
    new_line(out, pretty, indent);
    g_string_append_c(out, '}');
}

static void write_list(GString *out, const QList *list, bool pretty,
                       int indent)
{
    const QListEntry *e;

    g_string_append_c(out, '[');
    for (e = qlist_first(list); e; e = qlist_next(e)) {
        write_separator(out, e == qlist_first(list), pretty, indent + 1);
        write_value(out, e->value, pretty, indent + 1);
    }
    new_line(out, pretty, indent);
    g_string_append_c(out, ']');
}

static void write_value(GString *out, const QObject *obj, bool pretty,
                        int indent)
{
    switch (qobject_type(obj)) {
    case QTYPE_QNULL:
        g_string_append(out, "null");
        break;
    case QTYPE_QNUM: {
        g_autofree char *s = qnum_to_string(qobject_to(QNum, obj));

        g_string_append(out, s);
        break;
    }
    case QTYPE_QSTRING:
        write_string(out, qstring_get_str(qobject_to(QString, obj)));
        break;
    case QTYPE_QBOOL:
        g_string_append(out, qbool_get_bool(qobject_to(QBool, obj))
                             ? "true" : "false");
        break;
    case QTYPE_QDICT:
        write_dict(out, qobject_to(QDict, obj), pretty, indent);
        break;
    case QTYPE_QLIST:
        write_list(out, qobject_to(QList, obj), pretty, indent);
        break;
    default:
        g_assert_not_reached();
    }
}

GString *qobject_to_json_pretty(const QObject *obj, bool pretty)
{
    GString *out = g_string_new(NULL);

    write_value(out, obj, pretty, 0);
    return out;
}

GString *qobject_to_json(const QObject *obj)
{
    return qobject_to_json_pretty(obj, false);
}
