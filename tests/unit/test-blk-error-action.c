/*
 * SPDX-License-Identifier: MIT
 *
 * What an error of a backend's request does to the machine: the event comes
 * first, then the machine stops; "cont" takes the I/O status back.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"
#include "qapi/qapi-commands-misc.h"
#include "qapi/qapi-commands-run-state.h"
#include "qapi/qmp-event.h"
#include "qapi/qmp/qdict.h"
#include "qemu/main-loop.h"
#include "sysemu/runstate.h"
#include "sysemu/sysemu.h"

/* Of the program that system/runstate.c belongs to. */
bool autostart = true;

bool machine_prepare_start(Error **errp)
{
    return true;
}

static GString *seen;

static void emit(unsigned event, QDict *qdict)
{
    const char *name = qdict_get_str(qdict, "event");

    g_string_append_printf(seen, "%s ", name);
    if (!strcmp(name, "BLOCK_IO_ERROR")) {
        QDict *data = qdict_get_qdict(qdict, "data");

        g_string_append_printf(seen, "(%s %s) ",
                               qdict_get_str(data, "operation"),
                               qdict_get_str(data, "action"));
    }
    if (!strcmp(name, "STOP")) {
        qemu_system_shutdown_request(SHUTDOWN_CAUSE_HOST_QMP_QUIT);
    }
}

static void expect_seen(const char *expected)
{
    g_assert_cmpstr(seen->str, ==, expected);
    g_string_truncate(seen, 0);
}

static void stop(void)
{
    g_string_append(seen, "stopping ");
    qemu_system_vmstop_request(RUN_STATE_IO_ERROR);
}

/* A write on a full disk, by a device that follows the policy. */
static void fail_write(BlockBackend *blk, int error)
{
    blk_error_action(blk, blk_get_error_action(blk, false, error), false,
                     error);
}

static void test_stop(void)
{
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);

    g_assert_true(monitor_add_blk(blk, "disk", &error_abort));
    blk_iostatus_enable(blk);
    blk_set_on_error(blk, BLOCKDEV_ON_ERROR_REPORT, BLOCKDEV_ON_ERROR_ENOSPC);
    qmp_cont(&error_abort);
    g_assert_true(runstate_is_running());
    expect_seen("RESUME ");

    fail_write(blk, ENOSPC);
    expect_seen("BLOCK_IO_ERROR (write stop) stopping ");
    g_assert_cmpint(blk_iostatus(blk), ==, BLOCK_DEVICE_IO_STATUS_NOSPACE);
    /* Not from inside of the request */
    g_assert_true(runstate_is_running());
    g_assert_cmpint(qemu_main_loop(), ==, EXIT_SUCCESS);
    g_assert_cmpint(runstate_get(), ==, RUN_STATE_IO_ERROR);
    expect_seen("STOP SHUTDOWN ");

    qmp_cont(&error_abort);
    g_assert_true(runstate_is_running());
    g_assert_cmpint(blk_iostatus(blk), ==, BLOCK_DEVICE_IO_STATUS_OK);
    expect_seen("RESUME ");

    monitor_remove_blk(blk);
    blk_unref(blk);
    bdrv_unref(bs);
}

static void test_report(void)
{
    BlockDriverState *bs = mem_node("node");
    BlockBackend *blk = mem_blk(bs);

    g_assert_true(monitor_add_blk(blk, "disk", &error_abort));
    blk_iostatus_enable(blk);
    blk_set_on_error(blk, BLOCKDEV_ON_ERROR_REPORT, BLOCKDEV_ON_ERROR_ENOSPC);
    fail_write(blk, EIO);
    expect_seen("BLOCK_IO_ERROR (write report) ");
    blk_set_on_error(blk, BLOCKDEV_ON_ERROR_REPORT, BLOCKDEV_ON_ERROR_IGNORE);
    fail_write(blk, ENOSPC);
    expect_seen("BLOCK_IO_ERROR (write ignore) ");
    g_assert_cmpint(blk_iostatus(blk), ==, BLOCK_DEVICE_IO_STATUS_OK);
    /* A program without a machine */
    blk_set_on_error(blk, BLOCKDEV_ON_ERROR_STOP, BLOCKDEV_ON_ERROR_STOP);
    blk_set_stop_handler(NULL);
    fail_write(blk, EIO);
    expect_seen("BLOCK_IO_ERROR (write stop) ");
    g_assert_cmpint(blk_iostatus(blk), ==, BLOCK_DEVICE_IO_STATUS_FAILED);
    blk_set_stop_handler(stop);
    monitor_remove_blk(blk);
    blk_unref(blk);
    bdrv_unref(bs);
}

int main(int argc, char **argv)
{
    int status;

    mem_test_init(&argc, &argv);
    seen = g_string_new(NULL);
    qapi_event_set_emitter(emit);
    blk_set_stop_handler(stop);
    g_test_add_func("/blk-error-action/stop", test_stop);
    g_test_add_func("/blk-error-action/report", test_report);
    status = g_test_run();
    qapi_event_set_emitter(NULL);
    g_string_free(seen, true);
    return status;
}
