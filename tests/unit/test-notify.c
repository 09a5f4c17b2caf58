/*
 * SPDX-License-Identifier: MIT
 *
 * Lists of functions to call, and changes that happen wholly or not at all.
 */
#include "qemu/osdep.h"
#include "qemu/notify.h"
#include "qemu/transactions.h"

/* What was called, a letter each. */
static GString *calls;

static void begin(void)
{
    calls = g_string_new(NULL);
}

static void end(const char *expected)
{
    g_assert_cmpstr(calls->str, ==, expected);
    g_string_free(calls, true);
}

/* ---- Notifiers ---- */

typedef struct Named {
    Notifier n;
    char name;
    bool leaves;
} Named;

static void named_notify(Notifier *notifier, void *data)
{
    Named *named = container_of(notifier, Named, n);

    g_string_append_c(calls, named->name);
    g_string_append(calls, data);
    if (named->leaves) {
        notifier_remove(notifier);
        memset(named, 0xee, sizeof(*named));
    }
}

static void test_notifiers(void)
{
    NotifierList list = NOTIFIER_LIST_INITIALIZER(list);
    Named a = { { named_notify }, 'a' }, b = { { named_notify }, 'b', true };
    Named c = { { named_notify }, 'c' };

    begin();
    g_assert_true(notifier_list_empty(&list));
    notifier_list_notify(&list, (void *)"!");
    notifier_list_add(&list, &a.n);
    notifier_list_add(&list, &b.n);
    notifier_list_add(&list, &c.n);
    g_assert_false(notifier_list_empty(&list));
    notifier_list_notify(&list, (void *)"1");
    notifier_list_notify(&list, (void *)"2");
    notifier_remove(&c.n);
    notifier_list_notify(&list, (void *)"3");
    notifier_remove(&a.n);
    g_assert_true(notifier_list_empty(&list));
    notifier_list_init(&list);
    g_assert_true(notifier_list_empty(&list));
    end("c1b1a1c2a2a3");
}

/* ---- Transactions ---- */

static void note(const char *hook, void *opaque)
{
    g_string_append(calls, hook);
    g_string_append(calls, opaque);
}

static void abort_hook(void *opaque)
{
    note("a", opaque);
}

static void commit_hook(void *opaque)
{
    note("c", opaque);
}

static void clean_hook(void *opaque)
{
    note("x", opaque);
}

static const TransactionActionDrv all = { abort_hook, commit_hook,
                                          clean_hook };
static const TransactionActionDrv no_clean = { abort_hook, commit_hook };
static const TransactionActionDrv only_clean = { .clean = clean_hook };

static Transaction *three_steps(void)
{
    Transaction *tran = tran_new();

    tran_add(tran, &all, (void *)"1");
    tran_add(tran, &no_clean, (void *)"2");
    tran_add(tran, &only_clean, (void *)"3");
    return tran;
}

static void test_commit(void)
{
    begin();
    tran_commit(three_steps());
    end("c2c1x3x1");
    begin();
    tran_finalize(three_steps(), 0);
    end("c2c1x3x1");
}

static void test_abort(void)
{
    begin();
    tran_abort(three_steps());
    end("a2a1x3x1");
    begin();
    tran_finalize(three_steps(), -EIO);
    end("a2a1x3x1");
}

static void test_nothing(void)
{
    begin();
    tran_commit(tran_new());
    tran_abort(tran_new());
    end("");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/notify/list", test_notifiers);
    g_test_add_func("/transactions/commit", test_commit);
    g_test_add_func("/transactions/abort", test_abort);
    g_test_add_func("/transactions/nothing", test_nothing);
    return g_test_run();
}
