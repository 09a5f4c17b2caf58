/*
 * SPDX-License-Identifier: MIT
 *
 * Objects that users make: options, properties, life.
 */
#include "qemu/osdep.h"
#include "block/throttle-groups.h"
#include "crypto/secret.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-qom.h"
#include "qapi/qmp/qdict.h"
#include "qapi/qmp/qnum.h"
#include "qapi/qmp/qstring.h"
#include "qemu/main-loop.h"
#include "qom/object_interfaces.h"
#include "sysemu/iothread.h"
#include <glib/gstdio.h>

static void add(const char *options)
{
    user_creatable_add_from_str(options, &error_abort);
}

static void expect_error(const char *options, const char *text)
{
    Error *err = NULL;

    g_assert_false(user_creatable_add_from_str(options, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, text);
    error_free(err);
}

static void expect_del_error(const char *id, const char *text)
{
    Error *err = NULL;

    g_assert_false(user_creatable_del(id, &err));
    g_assert_cmpstr(error_get_pretty(err), ==, text);
    error_free(err);
}

static void del(const char *id)
{
    g_assert_true(user_creatable_del(id, &error_abort));
}

static int64_t get_int(const char *path, const char *property)
{
    QObject *value = qmp_qom_get(path, property, &error_abort);
    int64_t n = qnum_get_int(qobject_to(QNum, value));

    qobject_unref(value);
    return n;
}

static void test_ids(void)
{
    expect_error("iothread", "Parameter 'id' is missing");
    expect_error("id=x", "Parameter 'qom-type' is missing");
    expect_error("nope,id=x",
                 "Parameter 'qom-type' does not accept value 'nope'");
    expect_error("iothread,id=1", "Parameter 'id' expects an identifier");
    expect_error("iothread,id=x,nope=1", "Parameter 'nope' is unexpected");
    add("secret,id=a,data=x");
    expect_error("secret,id=a,data=x", "attempt to add duplicate property "
                 "'a' to object (type 'container')");
    expect_del_error("b", "object 'b' not found");
    del("a");
    expect_del_error("a", "object 'a' not found");
}

static void test_json(void)
{
    add("{'qom-type': 'secret', 'id': 'j', 'data': 'x,y'}");
    del("j");
}

/* ---- secret ---- */

static void expect_secret(const char *id, const char *text)
{
    g_autofree char *got = qcrypto_secret_lookup_as_utf8(id, &error_abort);

    g_assert_cmpstr(got, ==, text);
}

static void test_secret(void)
{
    g_autofree char *path = NULL;
    g_autofree char *options = NULL;
    g_autofree uint8_t *bytes = NULL;
    Error *err = NULL;
    size_t len;
    int fd = g_file_open_tmp("test-secret-XXXXXX", &path, NULL);

    g_assert_cmpint(write(fd, "from file", 9), ==, 9);
    close(fd);
    options = g_strdup_printf("secret,id=c,file=%s", path);
    add("secret,id=a,data=letmein");
    add("secret,id=b,data=bGV0bWVpbg==,format=base64");
    add("secret,id=d,data=/wA=,format=base64");
    add(options);
    expect_secret("a", "letmein");
    expect_secret("b", "letmein");
    expect_secret("c", "from file");
    g_assert_cmpint(qcrypto_secret_lookup("d", &bytes, &len, &error_abort),
                    ==, 0);
    g_assert_cmpmem(bytes, len, "\xff\0", 2);
    g_assert_null(qcrypto_secret_lookup_as_utf8("d", &err));
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "Data from secret d is not valid UTF-8");
    error_free(err);

    expect_error("secret,id=e", "Either 'file' or 'data' must be provided");
    expect_error("secret,id=e,data=a,file=b",
                 "'file' and 'data' are mutually exclusive");
    expect_error("secret,id=e,data=@@@,format=base64",
                 "Base64 data contains invalid characters");
    err = NULL;
    g_assert_null(qcrypto_secret_lookup_as_utf8("e", &err));
    g_assert_cmpstr(error_get_pretty(err), ==, "No secret with id 'e'");
    error_free(err);
    user_creatable_cleanup();
    g_unlink(path);
}

/* ---- throttle-group ---- */

static void test_throttle_group(void)
{
    QDict *limits;
    QObject *value;
    ThrottleState *ts;
    Error *err = NULL;

    add("throttle-group,id=t,x-iops-total=10,x-bps-read=5");
    g_assert_true(throttle_group_exists("t"));
    g_assert_cmpint(get_int("t", "x-iops-total"), ==, 10);

    /* What is not given stays. */
    limits = qdict_new();
    qdict_put_int(limits, "iops-total", 20);
    qmp_qom_set("/objects/t", "limits", QOBJECT(limits), &error_abort);
    g_assert_cmpint(get_int("t", "x-iops-total"), ==, 20);
    g_assert_cmpint(get_int("t", "x-bps-read"), ==, 5);
    qobject_unref(limits);
    value = qmp_qom_get("/objects/t", "limits", &error_abort);
    g_assert_cmpint(qdict_get_int(qobject_to(QDict, value), "iops-total"), ==,
                    20);
    g_assert_cmpint(qdict_get_int(qobject_to(QDict, value),
                                  "bps-total-max-length"), ==, 1);
    qobject_unref(value);

    value = QOBJECT(qnum_from_int(3));
    qmp_qom_set("/objects/t", "x-iops-total", value, &err);
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "Property cannot be set after initialization");
    error_free(err);
    qobject_unref(value);

    ts = throttle_group_incref("t");
    expect_del_error("t", "object 't' is in use, can not be deleted");
    throttle_group_unref(ts);
    del("t");
    g_assert_false(throttle_group_exists("t"));

    expect_error("throttle-group,id=t,x-iops-total=-1",
                 "Property values cannot be negative");
    expect_error("throttle-group,id=t,limits.iops-total=1,limits.iops-read=1",
                 "bps/iops/max total values and read/write values cannot be "
                 "used at the same time");
    g_assert_false(throttle_group_exists("t"));
}

/* ---- iothread, main-loop ---- */

static void run_in_thread(void *opaque)
{
    AioContext **ctx = opaque;

    *ctx = qemu_get_current_aio_context();
}

static gboolean run_in_source(gpointer opaque)
{
    /* ThreadSanitizer does not know the locks inside GLib. */
    atomic_mb_set((bool *)opaque, true);
    return G_SOURCE_REMOVE;
}

static void test_iothread(void)
{
    IOThread *iothread;
    AioContext *ctx, *ran_in = NULL;
    IOThreadParams params;
    GSource *source;
    bool source_ran = false;
    g_autofree char *id = NULL;

    add("iothread,id=io,poll-max-ns=123");
    iothread = iothread_by_id("io");
    g_assert_nonnull(iothread);
    g_assert_null(iothread_by_id("nope"));
    id = iothread_get_id(iothread);
    g_assert_cmpstr(id, ==, "io");
    ctx = iothread_get_aio_context(iothread);
    g_assert_true(ctx != qemu_get_aio_context());
    aio_wait_bh_oneshot(ctx, run_in_thread, &ran_in);
    g_assert_true(ran_in == ctx);

    /* With a GMainContext both kinds of work are done. */
    source = g_idle_source_new();
    g_source_set_callback(source, run_in_source, &source_ran, NULL);
    g_source_attach(source, iothread_get_g_main_context(iothread));
    while (!g_source_is_destroyed(source)) {
        ran_in = NULL;
        aio_wait_bh_oneshot(ctx, run_in_thread, &ran_in);
        g_assert_true(ran_in == ctx);
    }
    g_assert_true(atomic_mb_read(&source_ran));
    g_source_unref(source);

    iothread_get_params(iothread, &params);
    g_assert_cmpint(params.thread_id, !=, 0);
    g_assert_cmpint(params.poll_max_ns, ==, 123);
    g_assert_cmpint(get_int("io", "poll-max-ns"), ==, 123);
    del("io");
    g_assert_null(iothread_by_id("io"));

    expect_error("iothread,id=io,poll-max-ns=-1", "poll-max-ns value must be "
                 "in range [0, 9223372036854775807]");
    expect_error("iothread,id=io,thread-pool-max=0",
                 "bad thread-pool-min/thread-pool-max values");
}

static void test_main_loop(void)
{
    add("main-loop,id=m,thread-pool-max=8");
    expect_error("main-loop,id=n", "only one main-loop instance allowed");
    expect_del_error("m", "object 'm' is in use, can not be deleted");
    user_creatable_cleanup();
    add("main-loop,id=m");
    user_creatable_cleanup();
}

/* ---- Looking at them ---- */

static bool has_property(ObjectPropertyInfoList *list, const char *name,
                         const char *type)
{
    for (; list; list = list->next) {
        if (!strcmp(list->value->name, name)) {
            g_assert_cmpstr(list->value->type, ==, type);
            return true;
        }
    }
    return false;
}

static void test_qom_commands(void)
{
    ObjectPropertyInfoList *props;
    ObjectTypeInfoList *types;
    QObject *value;
    Error *err = NULL;

    add("iothread,id=io");
    props = qmp_qom_list("/objects", &error_abort);
    g_assert_true(has_property(props, "io", "child<iothread>"));
    g_assert_true(has_property(props, "type", "string"));
    qapi_free_ObjectPropertyInfoList(props);
    props = qmp_qom_list("io", &error_abort);
    g_assert_true(has_property(props, "poll-max-ns", "int"));
    g_assert_true(has_property(props, "aio-max-batch", "int"));
    qapi_free_ObjectPropertyInfoList(props);
    g_assert_null(qmp_qom_list("/objects/nope", &err));
    g_assert_cmpint(error_get_class(err), ==, ERROR_CLASS_DEVICE_NOT_FOUND);
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "Device '/objects/nope' not found");
    error_free(err);
    err = NULL;

    value = qmp_qom_get("/objects", "io", &error_abort);
    g_assert_cmpstr(qstring_get_str(qobject_to(QString, value)), ==,
                    "/objects/io");
    qobject_unref(value);
    g_assert_null(qmp_qom_get("io", "nope", &err));
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "Property 'iothread.nope' not found");
    error_free(err);
    err = NULL;
    value = QOBJECT(qstring_from_str("x"));
    qmp_qom_set("io", "poll-max-ns", value, &err);
    g_assert_cmpstr(error_get_pretty(err), ==, "Invalid parameter type for "
                    "'poll-max-ns', expected: integer");
    error_free(err);
    err = NULL;
    qmp_qom_set("io", "type", value, &err);
    g_assert_cmpstr(error_get_pretty(err), ==,
                    "Property 'iothread.type' is not writable");
    error_free(err);
    qobject_unref(value);

    types = qmp_qom_list_types(true, "event-loop-base", false, false,
                               &error_abort);
    for (ObjectTypeInfoList *t = types; t; t = t->next) {
        g_assert_cmpstr(t->value->parent, ==, "event-loop-base");
    }
    g_assert_nonnull(types->next);
    g_assert_null(types->next->next);
    qapi_free_ObjectTypeInfoList(types);
    del("io");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qemu_init_main_loop(&error_abort);
    user_creatable_init();
    g_test_add_func("/user-creatable/ids", test_ids);
    g_test_add_func("/user-creatable/json", test_json);
    g_test_add_func("/user-creatable/secret", test_secret);
    g_test_add_func("/user-creatable/throttle-group", test_throttle_group);
    g_test_add_func("/user-creatable/iothread", test_iothread);
    g_test_add_func("/user-creatable/main-loop", test_main_loop);
    g_test_add_func("/user-creatable/qom-commands", test_qom_commands);
    return g_test_run();
}
