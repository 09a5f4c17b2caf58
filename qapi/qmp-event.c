/*
 * SPDX-License-Identifier: MIT
 *
 * Events: who gets them, and their frame.
 */
#include "qemu/osdep.h"
#include "qapi/qmp-event.h"

static QapiEventEmit *emitter;

void qapi_event_set_emitter(QapiEventEmit *emit)
{
    emitter = emit;
}

QapiEventEmit *qapi_event_get_emitter(void)
{
    return emitter;
}

QDict *qmp_event_build_dict(const char *event_name)
{
    int64_t now = g_get_real_time();
    QDict *event = qdict_new(), *ts = qdict_new();

    qdict_put_int(ts, "seconds", now / G_USEC_PER_SEC);
    qdict_put_int(ts, "microseconds", now % G_USEC_PER_SEC);
    qdict_put(event, "timestamp", ts);
    qdict_put_str(event, "event", event_name);
    return event;
}
