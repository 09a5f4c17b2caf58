/*
 * SPDX-License-Identifier: MIT
 *
 * Events: their frame, their data, and where they go.
 */
#include "qemu/osdep.h"
#include "qapi-test-util.h"
#include "qapi/qmp-event.h"
#include "test-qapi-emit-events.h"
#include "test-qapi-events-test-schema.h"

static unsigned last_event;
static QDict *last;

static void emit(unsigned event, QDict *qdict)
{
    g_assert_null(last);
    last_event = event;
    last = qobject_ref(qdict);
}

/* The last event was @event, with @json, in which there is no timestamp. */
static void check_event(unsigned event, const char *json)
{
    QDict *timestamp;

    g_assert_nonnull(last);
    g_assert_cmpint(last_event, ==, event);
    timestamp = qdict_get_qdict(last, "timestamp");
    g_assert_nonnull(timestamp);
    g_assert_cmpint(qdict_get_int(timestamp, "seconds"), >, 0);
    g_assert_cmpint(qdict_get_int(timestamp, "microseconds"), >=, 0);
    g_assert_cmpint(qdict_get_int(timestamp, "microseconds"), <, 1000000);
    qdict_del(last, "timestamp");
    check_json(QOBJECT(g_steal_pointer(&last)), json);
}

static void test_plain(void)
{
    qapi_event_send_plain(&error_abort);
    check_event(TEST_QAPI_EVENT_PLAIN, "{'event': 'PLAIN'}");
}

static void test_data(void)
{
    Point point = { 1, 2 };
    PointList list = { NULL, &point };

    qapi_event_send_with_data("n", true, -1, COLOR_BLUE, true, &list,
                              &error_abort);
    check_event(TEST_QAPI_EVENT_WITH_DATA,
                "{'event': 'WITH_DATA', 'data': {'name': 'n', 'count': -1,"
                " 'color': 'blue', 'points': [{'x': 1, 'y': 2}]}}");
    qapi_event_send_with_data("n", false, 5, COLOR_RED, false, NULL,
                              &error_abort);
    check_event(TEST_QAPI_EVENT_WITH_DATA,
                "{'event': 'WITH_DATA', 'data': {'name': 'n',"
                " 'color': 'red'}}");
}

static void test_boxed(void)
{
    Shape shape = { .color = COLOR_RED, .u.red = { 3, 4 } };

    qapi_event_send_with_shape(&shape, &error_abort);
    check_event(TEST_QAPI_EVENT_WITH_SHAPE,
                "{'event': 'WITH_SHAPE',"
                " 'data': {'color': 'red', 'x': 3, 'y': 4}}");
}

static void test_all_optional(void)
{
    qapi_event_send_all_optional(true, 2, &error_abort);
    check_event(TEST_QAPI_EVENT_ALL_OPTIONAL,
                "{'event': 'ALL_OPTIONAL', 'data': {'count': 2}}");
    /* Without any there is no "data" either. */
    qapi_event_send_all_optional(false, 0, &error_abort);
    check_event(TEST_QAPI_EVENT_ALL_OPTIONAL, "{'event': 'ALL_OPTIONAL'}");
}

static void test_no_emitter(void)
{
    qapi_event_set_emitter(NULL);
    qapi_event_send_plain(NULL);
    g_assert_null(last);
    qapi_event_set_emitter(emit);
}

static void test_names(void)
{
    g_assert_cmpstr(test_QAPIEvent_str(TEST_QAPI_EVENT_WITH_DATA), ==,
                    "WITH_DATA");
    g_assert_cmpint(TEST_QAPI_EVENT__MAX, ==, 4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qapi_event_set_emitter(emit);
    g_test_add_func("/event/plain", test_plain);
    g_test_add_func("/event/data", test_data);
    g_test_add_func("/event/boxed", test_boxed);
    g_test_add_func("/event/all-optional", test_all_optional);
    g_test_add_func("/event/no-emitter", test_no_emitter);
    g_test_add_func("/event/names", test_names);
    return g_test_run();
}
