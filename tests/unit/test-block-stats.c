/*
 * SPDX-License-Identifier: MIT
 *
 * Which nodes query-blockstats shows below a backend and below nodes.
 */
#include "qemu/osdep.h"
#include "mem-driver.h"
#include "qapi/qapi-commands-block-core.h"
#include "qapi/qapi-visit-block-core.h"

/* "name(parent)[backing]" */
static void put_text(GString *text, const BlockStats *s)
{
    g_string_append(text, s->has_node_name ? s->node_name : "-");
    if (s->has_parent) {
        g_string_append_c(text, '(');
        put_text(text, s->parent);
        g_string_append_c(text, ')');
    }
    if (s->has_backing) {
        g_string_append_c(text, '[');
        put_text(text, s->backing);
        g_string_append_c(text, ']');
    }
}

static void expect_stats(bool nodes, const char *expected)
{
    BlockStatsList *list, *e;
    g_autoptr(GString) text = g_string_new(NULL);

    list = qmp_query_blockstats(true, nodes, &error_abort);
    for (e = list; e; e = e->next) {
        put_text(text, e->value);
        g_string_append_c(text, ' ');
    }
    g_assert_cmpstr(text->str, ==, expected);
    qapi_free_BlockStatsList(list);
}

/* What a filter passes requests on to is its parent and its backing node. */
static void test_filter(void)
{
    BlockDriverState *base = mem_node("base");
    BlockDriverState *top = mem_node("top");
    BlockDriverState *filter = mem_filter_node("filter", top);
    BlockBackend *blk = mem_blk(filter);

    bdrv_set_backing_hd(top, base, &error_abort);
    g_assert_true(monitor_add_blk(blk, "disk", &error_abort));
    expect_stats(false, "filter(top[base])[top[base]] ");
    monitor_remove_blk(blk);
    blk_unref(blk);
    bdrv_unref(filter);
    bdrv_unref(top);
    bdrv_unref(base);
}

/* Nodes are asked for one by one: nothing is below them. */
static void test_nodes(void)
{
    BlockDriverState *base = mem_node("base");
    BlockDriverState *top = mem_node("top");

    bdrv_set_backing_hd(top, base, &error_abort);
    expect_stats(true, "base top ");
    bdrv_unref(top);
    bdrv_unref(base);
}

int main(int argc, char **argv)
{
    mem_test_init(&argc, &argv);
    g_test_add_func("/block-stats/filter", test_filter);
    g_test_add_func("/block-stats/nodes", test_nodes);
    return g_test_run();
}
