/*
 * SPDX-License-Identifier: MIT
 *
 * From requests to replies.
 */
#include "qemu/osdep.h"
#include "qapi-test-util.h"
#include "block/aio.h"
#include "qapi/qmp/dispatch.h"
#include "qapi/util.h"
#include "qemu/coroutine.h"
#include "qemu/main-loop.h"
#include "test-qapi-commands-test-schema.h"
#include "test-qapi-init-commands.h"
#include "test-qapi-introspect.h"

static QmpCommandList commands;

/* ---- Handlers ---- */

static int silent_calls;
static bool in_coroutine;

void qmp_do_nothing(Error **errp)
{
    in_coroutine = qemu_in_coroutine();
}

void qmp_fail_it(const char *class, Error **errp)
{
    error_set(errp, !strcmp(class, "DeviceNotFound")
              ? ERROR_CLASS_DEVICE_NOT_FOUND : ERROR_CLASS_GENERIC_ERROR,
              "It failed with %s", class);
}

int64_t qmp_add_numbers(int64_t a, bool has_b, int64_t b, Error **errp)
{
    return a + (has_b ? b : 1000);
}

NamedPoint *qmp_mirror_point(NamedPoint *point, Error **errp)
{
    NamedPoint *p = g_new0(NamedPoint, 1);

    p->x = point->y;
    p->y = point->x;
    p->name = g_strreverse(g_strdup(point->name));
    return p;
}

PointList *qmp_list_points(bool has_count, int64_t count, Error **errp)
{
    PointList *list = NULL;

    while (has_count && count-- > 0) {
        Point *p = g_new0(Point, 1);

        p->x = count;
        QAPI_LIST_PREPEND(list, p);
    }
    return list;
}

void qmp_take_options(Options *arg, Error **errp)
{
    error_setg(errp, "int %s", arg->has_q_int ? "given" : "missing");
}

void qmp_take_shape(Shape *arg, Error **errp)
{
    g_assert_cmpint(arg->color, ==, COLOR_RED);
    error_setg(errp, "x is %" PRId64, arg->u.red.x);
}

QObject *qmp_echo(QObject *value, Error **errp)
{
    return qobject_ref(value);
}

void qmp_be_silent(bool has_fail, bool fail, Error **errp)
{
    silent_calls++;
    if (has_fail && fail) {
        error_setg(errp, "not silent");
    }
}

void qmp_be_urgent(Error **errp)
{
}

void qmp_yield_once(Error **errp)
{
    g_assert_true(qemu_in_coroutine());
    aio_co_schedule(qemu_get_aio_context(), qemu_coroutine_self());
    qemu_coroutine_yield();
}

void qmp_marshal_by_hand(QDict *args, QObject **ret, Error **errp)
{
    *ret = QOBJECT(qnum_from_int(qdict_size(args)));
}

/* ---- Requests ---- */

static QObject *dispatch(const char *request, bool oob)
{
    g_autoptr(QObject) req = qobject_from_json(request, &error_abort);

    return QOBJECT(qmp_dispatch(&commands, req, oob, NULL));
}

static void check(const char *request, const char *reply)
{
    check_json(dispatch(request, false), reply);
}

static void check_failure(const char *request, const char *class,
                          const char *desc)
{
    QDict *rsp = qobject_to(QDict, dispatch(request, false));
    QDict *error = qdict_get_qdict(rsp, "error");

    g_assert_nonnull(error);
    g_assert_cmpstr(qdict_get_str(error, "class"), ==, class);
    g_assert_cmpstr(qdict_get_str(error, "desc"), ==, desc);
    qobject_unref(rsp);
}

static void test_replies(void)
{
    check("{'execute': 'do-nothing'}", "{'return': {}}");
    check("{'execute': 'do-nothing', 'arguments': {}, 'id': [1]}",
          "{'return': {}, 'id': [1]}");
    check("{'execute': 'add-numbers', 'arguments': {'a': 1, 'b': 2}}",
          "{'return': 3}");
    check("{'execute': 'add-numbers', 'arguments': {'a': 1}, 'id': null}",
          "{'return': 1001, 'id': null}");
    check("{'execute': 'mirror-point', 'arguments':"
          " {'point': {'x': 1, 'y': 2, 'name': 'abc'}}}",
          "{'return': {'x': 2, 'y': 1, 'name': 'cba'}}");
    check("{'execute': 'list-points'}", "{'return': []}");
    check("{'execute': 'list-points', 'arguments': {'count': 2}}",
          "{'return': [{'x': 0, 'y': 0}, {'x': 1, 'y': 0}]}");
    check("{'execute': 'echo', 'arguments': {'value': {'a': [null]}}}",
          "{'return': {'a': [null]}}");
    check("{'execute': 'by-hand', 'arguments': {'a': 1, 'b': 2}}",
          "{'return': 2}");
}

static void test_failures(void)
{
    check("{'execute': 'fail-it', 'arguments': {'class': 'x'}, 'id': 1}",
          "{'error': {'class': 'GenericError', 'desc': 'It failed with x'},"
          " 'id': 1}");
    check_failure("{'execute': 'fail-it', 'arguments':"
                  " {'class': 'DeviceNotFound'}}",
                  "DeviceNotFound", "It failed with DeviceNotFound");
    check_failure("{'execute': 'take-options'}", "GenericError",
                  "int missing");
    check_failure("{'execute': 'take-options', 'arguments': {'int': 1}}",
                  "GenericError", "int given");
    check_failure("{'execute': 'take-shape', 'arguments':"
                  " {'color': 'red', 'x': 5, 'y': 6}}",
                  "GenericError", "x is 5");
}

static void test_arguments(void)
{
    check_failure("{'execute': 'do-nothing', 'arguments': {'a': 1}}",
                  "GenericError", "Parameter 'a' is unexpected");
    check_failure("{'execute': 'add-numbers'}",
                  "GenericError", "Parameter 'a' is missing");
    check_failure("{'execute': 'add-numbers', 'arguments': {'a': 'x'}}",
                  "GenericError",
                  "Invalid parameter type for 'a', expected: integer");
    check_failure("{'execute': 'mirror-point', 'arguments':"
                  " {'point': {'x': 1, 'y': 2}}}",
                  "GenericError", "Parameter 'point.name' is missing");
    check_failure("{'execute': 'take-shape', 'arguments':"
                  " {'color': 'blue', 'x': 1, 'y': 2, 'name': 1}}",
                  "GenericError",
                  "Invalid parameter type for 'name', expected: string");
}

static void test_malformed(void)
{
    check_failure("[]", "GenericError", "QMP input must be a JSON object");
    check_failure("1", "GenericError", "QMP input must be a JSON object");
    check_failure("{}", "GenericError",
                  "QMP input lacks member 'execute'");
    check_failure("{'execute': 1}", "GenericError",
                  "QMP input member 'execute' must be a string");
    check_failure("{'execute': 'do-nothing', 'x': 1}", "GenericError",
                  "QMP input member 'x' is unexpected");
    check_failure("{'execute': 'do-nothing', 'arguments': []}",
                  "GenericError",
                  "QMP input member 'arguments' must be an object");
    check_failure("{'execute': 'none'}", "CommandNotFound",
                  "The command none has not been found");
    check("{'id': 7}", "{'error': {'class': 'GenericError', 'desc':"
          " 'QMP input lacks member \\'execute\\''}, 'id': 7}");
    /* Not negotiated */
    check_failure("{'exec-oob': 'be-urgent'}", "GenericError",
                  "QMP input member 'exec-oob' is unexpected");
}

static void check_oob(const char *request, const char *reply)
{
    check_json(dispatch(request, true), reply);
}

static void test_oob(void)
{
    g_autoptr(QDict) normal = qdict_from_jsonf_nofail("{'execute': 'x'}");
    g_autoptr(QDict) oob = qdict_from_jsonf_nofail("{'exec-oob': 'x'}");
    g_autoptr(QDict) both = qdict_from_jsonf_nofail(
        "{'execute': 'x', 'exec-oob': 'x'}");

    g_assert_false(qmp_is_oob(normal));
    g_assert_true(qmp_is_oob(oob));
    g_assert_false(qmp_is_oob(both));
    check_oob("{'exec-oob': 'be-urgent'}", "{'return': {}}");
    check_oob("{'execute': 'be-urgent'}", "{'return': {}}");
    check_oob("{'exec-oob': 'do-nothing'}",
              "{'error': {'class': 'GenericError', 'desc':"
              " 'The command do-nothing does not support OOB'}}");
    check_oob("{'exec-oob': 'none'}",
              "{'error': {'class': 'CommandNotFound', 'desc':"
              " 'The command none has not been found'}}");
    check_oob("{'exec-oob': 1}",
              "{'error': {'class': 'GenericError', 'desc':"
              " 'QMP input member \\'exec-oob\\' must be a string'}}");
    check_oob("{'execute': 'x', 'exec-oob': 'y'}",
              "{'error': {'class': 'GenericError', 'desc':"
              " 'QMP input member \\'execute\\' clashes with"
              " \\'exec-oob\\''}}");
}

static void test_no_success_response(void)
{
    silent_calls = 0;
    g_assert_null(dispatch("{'execute': 'be-silent', 'id': 1}", false));
    g_assert_cmpint(silent_calls, ==, 1);
    check_failure("{'execute': 'be-silent', 'arguments': {'fail': true}}",
                  "GenericError", "not silent");
}

static void test_disabled(void)
{
    qmp_disable_command(&commands, "do-nothing", NULL);
    check_failure("{'execute': 'do-nothing'}", "CommandNotFound",
                  "Command do-nothing has been disabled");
    qmp_disable_command(&commands, "do-nothing", "on a test");
    check_failure("{'execute': 'do-nothing'}", "CommandNotFound",
                  "Command do-nothing has been disabled: on a test");
    qmp_enable_command(&commands, "do-nothing");
    check("{'execute': 'do-nothing'}", "{'return': {}}");
}

/* ---- Coroutines ---- */

typedef struct CoDispatch {
    const char *request;
    QObject *reply;
    bool done;
} CoDispatch;

static void coroutine_fn dispatch_co(void *opaque)
{
    CoDispatch *d = opaque;

    d->reply = dispatch(d->request, false);
    d->done = true;
}

static void check_in_coroutine(const char *request, const char *reply)
{
    CoDispatch d = { .request = request };

    qemu_coroutine_enter(qemu_coroutine_create(dispatch_co, &d));
    g_assert_false(d.done);
    while (!d.done) {
        aio_poll(qemu_get_aio_context(), true);
    }
    check_json(d.reply, reply);
}

static void test_coroutine(void)
{
    check_in_coroutine("{'execute': 'yield-once'}", "{'return': {}}");
    /* Others are run outside of it. */
    in_coroutine = true;
    check_in_coroutine("{'execute': 'do-nothing', 'id': 1}",
                       "{'return': {}, 'id': 1}");
    g_assert_false(in_coroutine);
}

/* ---- Who asks ---- */

static Monitor *current;
static int switches;

static Monitor *set_current(Coroutine *co, Monitor *mon)
{
    Monitor *old = current;

    current = mon;
    switches++;
    return old;
}

static void test_current_monitor(void)
{
    g_autoptr(QObject) req =
        qobject_from_json("{'execute': 'do-nothing'}", &error_abort);
    Monitor *outer = (Monitor *)&current, *asking = (Monitor *)&switches;

    current = outer;
    qmp_dispatch_set_current(set_current);
    qobject_unref(qmp_dispatch(&commands, req, false, asking));
    qmp_dispatch_set_current(NULL);
    g_assert_cmpint(switches, ==, 2);
    g_assert_true(current == outer);
}

/* ---- Introspection ---- */

static void count_command(const QmpCommand *cmd, void *opaque)
{
    ++*(int *)opaque;
}

static void test_introspection(void)
{
    g_autoptr(QObject) obj =
        qobject_from_json(test_qmp_schema_json, &error_abort);
    QList *schema = qobject_to(QList, obj);
    const QListEntry *e;
    int registered = 0, described = 0;

    g_assert_nonnull(schema);
    qmp_for_each_command(&commands, count_command, &registered);
    QLIST_FOREACH_ENTRY(schema, e) {
        QDict *entry = qobject_to(QDict, e->value);

        if (!strcmp(qdict_get_str(entry, "meta-type"), "command")) {
            described++;
            g_assert_nonnull(qmp_find_command(&commands,
                                              qdict_get_str(entry, "name")));
        }
    }
    g_assert_cmpint(described, ==, registered);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qemu_init_main_loop(&error_abort);
    test_qmp_init_marshal(&commands);
    g_test_add_func("/qmp/replies", test_replies);
    g_test_add_func("/qmp/failures", test_failures);
    g_test_add_func("/qmp/arguments", test_arguments);
    g_test_add_func("/qmp/malformed", test_malformed);
    g_test_add_func("/qmp/oob", test_oob);
    g_test_add_func("/qmp/no-success-response", test_no_success_response);
    g_test_add_func("/qmp/disabled", test_disabled);
    g_test_add_func("/qmp/coroutine", test_coroutine);
    g_test_add_func("/qmp/current-monitor", test_current_monitor);
    g_test_add_func("/qmp/introspection", test_introspection);
    return g_test_run();
}
