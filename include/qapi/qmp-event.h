/*
 * SPDX-License-Identifier: MIT
 *
 * Events on their way to monitors.
 *
 * The generated qapi_event_send_FOO() build the event and give it to the
 * emitter, which whoever has monitors registers.  Without one events are
 * dropped before anything is built.
 */
#ifndef QMP_EVENT_H
#define QMP_EVENT_H

#include "qapi/qmp/qdict.h"

/* @event: a value of the generated enumeration of events; @qdict stays the
 * caller's. Called in the thread that sends. */
typedef void QapiEventEmit(unsigned event, QDict *qdict);

/* NULL: none. Set while no other thread sends. */
void qapi_event_set_emitter(QapiEventEmit *emit);
/* For generated code. */
QapiEventEmit *qapi_event_get_emitter(void);

/* { "event": @event_name, "timestamp": now } */
QDict *qmp_event_build_dict(const char *event_name);

#endif
