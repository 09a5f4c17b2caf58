/*
 * SPDX-License-Identifier: MIT
 *
 * Texts of errors that clients know.
 */
#ifndef QERROR_H
#define QERROR_H

#define QERR_BUS_NO_HOTPLUG "Bus '%s' does not support hotplugging"
#define QERR_DEVICE_HAS_NO_MEDIUM "Device '%s' has no medium"
#define QERR_DEVICE_IN_USE "Device '%s' is in use"
#define QERR_FEATURE_DISABLED "The feature '%s' is not enabled"
#define QERR_INVALID_BLOCK_FORMAT "Invalid block format '%s'"
#define QERR_INVALID_PARAMETER "Invalid parameter '%s'"
#define QERR_INVALID_PARAMETER_TYPE \
    "Invalid parameter type for '%s', expected: %s"
#define QERR_INVALID_PARAMETER_VALUE "Parameter '%s' expects %s"
#define QERR_IO_ERROR "An IO error has occurred"
#define QERR_MISSING_PARAMETER "Parameter '%s' is missing"
#define QERR_UNSUPPORTED "this feature or command is not currently supported"

#endif
