/*
 * SPDX-License-Identifier: MIT
 *
 * Objects that users make: -object, object-add, object-del.  They live below
 * /objects under their IDs.  Main thread.
 */
#ifndef OBJECT_INTERFACES_H
#define OBJECT_INTERFACES_H

#include "qom/object.h"
#include "qapi/qapi-types-qom.h"

/* Makes the types known that this program offers.  Once, at the start. */
void user_creatable_init(void);

/* Makes and completes an object; false with @errp, then there is none. */
bool user_creatable_add_qapi(ObjectOptions *options, Error **errp);

/*
 * What -object says, "TYPE,id=ID,..." or JSON, as options.  NULL with @errp.
 * The caller frees it.
 */
ObjectOptions *user_creatable_parse_str(const char *str, Error **errp);

/* Both steps in one. */
bool user_creatable_add_from_str(const char *str, Error **errp);

/*
 * Prints help on stdout if @str asks for it ("help", "TYPE,help"); false if
 * it does not.
 */
bool user_creatable_print_help_from_str(const char *str);

/*
 * For -object in programs that leave the rest to this: prints help and exits
 * with 0, prints an error and exits with 1, or makes the object.
 */
void user_creatable_process_cmdline(const char *str);

/* Removes an object; false with @errp if it is in use or not there. */
bool user_creatable_del(const char *id, Error **errp);

/* At the end of the program: removes all, the latest first. */
void user_creatable_cleanup(void);

#endif /* OBJECT_INTERFACES_H */
