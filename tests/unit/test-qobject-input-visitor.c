/*
 * SPDX-License-Identifier: MIT
 *
 * From JSON and from key=value options to C, and what is said of mistakes.
 */
#include "qemu/osdep.h"
#include "qapi-test-util.h"
#include "qapi/qobject-input-visitor.h"
#include "test-qapi-visit-test-schema.h"

static Visitor *input(const char *json)
{
    g_autoptr(QObject) obj = qobject_from_json(json, &error_abort);

    return qobject_input_visitor_new(obj);
}

/* Visiting @json as a @type gives @value. */
#define check_scalar(type, ctype, json, value) do {                     \
        g_autoptr(Visitor) v_ = input(json);                            \
        ctype got_ = 0;                                                 \
                                                                        \
        g_assert_true(visit_type_##type(v_, NULL, &got_, &error_abort)); \
        g_assert_true(got_ == (value));                                 \
    } while (0)

static void test_integers(void)
{
    check_scalar(int, int64_t, "-42", -42);
    check_scalar(int8, int8_t, "-128", -128);
    check_scalar(int16, int16_t, "32767", 32767);
    check_scalar(int32, int32_t, "-2147483648", INT32_MIN);
    check_scalar(int64, int64_t, "9223372036854775807", INT64_MAX);
    check_scalar(uint8, uint8_t, "255", 255);
    check_scalar(uint16, uint16_t, "65535", 65535);
    check_scalar(uint32, uint32_t, "4294967295", UINT32_MAX);
    check_scalar(uint64, uint64_t, "18446744073709551615", UINT64_MAX);
    check_scalar(size, uint64_t, "18446744073709551615", UINT64_MAX);
    /* For compatibility */
    check_scalar(uint64, uint64_t, "-1", UINT64_MAX);
}

static void test_other_scalars(void)
{
    g_autoptr(Visitor) v = NULL;
    g_autofree char *str = NULL;
    QNull *null = NULL;
    QObject *any = NULL;

    check_scalar(bool, bool, "true", true);
    check_scalar(number, double, "0.5", 0.5);
    check_scalar(number, double, "-3", -3);
    check_scalar(Color, Color, "'light-green'", COLOR_LIGHT_GREEN);
    v = input("'text'");
    visit_type_str(v, NULL, &str, &error_abort);
    g_assert_cmpstr(str, ==, "text");
    visit_free(v);
    v = input("null");
    visit_type_null(v, NULL, &null, &error_abort);
    g_assert_true(null == &qnull_);
    qobject_unref(null);
    visit_free(v);
    v = input("{'a': [1]}");
    visit_type_any(v, NULL, &any, &error_abort);
    check_json(any, "{'a': [1]}");
}

static Options *options_from(Visitor *v, Error **errp)
{
    Options *opts = (Options *)1;

    if (!visit_type_Options(v, NULL, &opts, errp)) {
        g_assert_null(opts);
    }
    visit_free(v);
    return opts;
}

static void test_struct(void)
{
    g_autoptr(Options) o = options_from(
        input("{'int': 1, 'sub': {'str': 'x'}, 'list': [{'u8': 7}, {}],"
              " 'color': 'blue', 'null': null}"), &error_abort);

    g_assert_true(o->has_q_int && o->q_int == 1);
    g_assert_true(o->has_sub && o->sub->has_str);
    g_assert_cmpstr(o->sub->str, ==, "x");
    g_assert_true(o->has_list);
    g_assert_cmpint(o->list->value->u8, ==, 7);
    g_assert_nonnull(o->list->next);
    g_assert_false(o->list->next->value->has_u8);
    g_assert_null(o->list->next->next);
    g_assert_true(o->has_color && o->color == COLOR_BLUE);
    g_assert_true(o->has_null);
    g_assert_false(o->has_q_bool || o->has_ints || o->has_number ||
                   o->has_either || o->has_size || o->has_str);
}

static void test_base(void)
{
    g_autoptr(Visitor) v = input("{'name': 'n', 'y': 2, 'x': 1}");
    g_autoptr(NamedPoint) p = NULL;

    visit_type_NamedPoint(v, NULL, &p, &error_abort);
    g_assert_cmpint(p->x, ==, 1);
    g_assert_cmpint(qapi_NamedPoint_base(p)->y, ==, 2);
    g_assert_cmpstr(p->name, ==, "n");
}

static void test_list(void)
{
    g_autoptr(Visitor) v = input("[1, 2, 3]");
    g_autoptr(intList) l = NULL;

    visit_type_intList(v, NULL, &l, &error_abort);
    g_assert_cmpint(QAPI_LIST_LENGTH(l), ==, 3);
    g_assert_cmpint(l->next->next->value, ==, 3);
    visit_free(v);
    g_clear_pointer(&l, qapi_free_intList);
    v = input("[]");
    visit_type_intList(v, NULL, &l, &error_abort);
    g_assert_null(l);
}

static void test_union(void)
{
    g_autoptr(Visitor) v =
        input("{'color': 'blue', 'x': 1, 'y': 2, 'name': 'n'}");
    g_autoptr(Shape) s = NULL;

    visit_type_Shape(v, NULL, &s, &error_abort);
    g_assert_cmpint(s->color, ==, COLOR_BLUE);
    g_assert_cmpint(s->u.blue.y, ==, 2);
    g_assert_cmpstr(s->u.blue.name, ==, "n");
    visit_free(v);
    g_clear_pointer(&s, qapi_free_Shape);
    /* A value without branch */
    v = input("{'color': 'light-green', 'label': 'l'}");
    visit_type_Shape(v, NULL, &s, &error_abort);
    g_assert_cmpstr(s->label, ==, "l");
}

static void test_alternate(void)
{
    g_autoptr(Visitor) v = input("['s', 4, {'x': 1, 'y': 2}]");
    g_autoptr(EitherList) l = NULL;

    visit_type_EitherList(v, NULL, &l, &error_abort);
    g_assert_cmpint(l->value->type, ==, QTYPE_QSTRING);
    g_assert_cmpstr(l->value->u.s, ==, "s");
    g_assert_cmpint(l->next->value->type, ==, QTYPE_QNUM);
    g_assert_cmpint(l->next->value->u.i, ==, 4);
    g_assert_cmpint(l->next->next->value->type, ==, QTYPE_QDICT);
    g_assert_cmpint(l->next->next->value->u.p.y, ==, 2);
}

/* ---- Errors ---- */

static void check_options_error(const char *json, const char *msg)
{
    Error *err = NULL;

    g_assert_null(options_from(input(json), &err));
    check_error(err, msg);
}

static void test_errors(void)
{
    check_options_error("{'int': 'x'}", "Invalid parameter type for 'int', "
                        "expected: integer");
    check_options_error("{'int': 1.0}", "Invalid parameter type for 'int', "
                        "expected: integer");
    check_options_error("{'int': 9223372036854775808}",
                        "Invalid parameter type for 'int', expected: "
                        "integer");
    check_options_error("{'str': 1}", "Invalid parameter type for 'str', "
                        "expected: string");
    check_options_error("{'bool': 'on'}", "Invalid parameter type for "
                        "'bool', expected: boolean");
    check_options_error("{'number': '1'}", "Invalid parameter type for "
                        "'number', expected: number");
    check_options_error("{'null': 0}", "Invalid parameter type for 'null', "
                        "expected: null");
    check_options_error("{'size': '1M'}", "Parameter 'size' expects uint64");
    check_options_error("{'u8': 256}", "Parameter 'u8' expects uint8_t");
    check_options_error("{'u8': -1}", "Parameter 'u8' expects uint8_t");
    check_options_error("{'color': 'pink'}", "Parameter 'color' does not "
                        "accept value 'pink'");
    check_options_error("{'color': 1}", "Invalid parameter type for 'color', "
                        "expected: string");
    check_options_error("{'either': []}", "Invalid parameter type for "
                        "'either', expected: Either");
    check_options_error("{'sub': []}", "Invalid parameter type for 'sub', "
                        "expected: object");
    check_options_error("{'list': {}}", "Invalid parameter type for 'list', "
                        "expected: array");
    check_options_error("{'bad': 1}", "Parameter 'bad' is unexpected");
}

static void test_paths(void)
{
    check_options_error("{'sub': {'sub': {'bad': 1}}}",
                        "Parameter 'sub.sub.bad' is unexpected");
    check_options_error("{'list': [{}, {'sub': {'int': []}}]}",
                        "Invalid parameter type for 'list[1].sub.int', "
                        "expected: integer");
    check_options_error("{'ints': [1, 2, 'x']}",
                        "Invalid parameter type for 'ints[2]', expected: "
                        "integer");
    check_options_error("{'either': {'x': 1}}",
                        "Parameter 'either.y' is missing");
    check_options_error("{'either': {'x': 1, 'y': 2, 'z': 3}}",
                        "Parameter 'either.z' is unexpected");
    /* These know the last part only. */
    check_options_error("{'list': [{'color': 'pink'}]}",
                        "Parameter 'color' does not accept value 'pink'");
    check_options_error("{'list': [1]}",
                        "Invalid parameter type for 'list[0]', expected: "
                        "object");
}

static void test_missing(void)
{
    g_autoptr(Visitor) v = input("{'color': 'red', 'x': 1}");
    Shape *s = (Shape *)1;
    Error *err = NULL;

    g_assert_false(visit_type_Shape(v, NULL, &s, &err));
    g_assert_null(s);
    check_error(err, "Parameter 'y' is missing");
}

static void test_alternate_in_list(void)
{
    g_autoptr(Visitor) v = input("['s', true]");
    EitherList *l = (EitherList *)1;
    Error *err = NULL;

    g_assert_false(visit_type_EitherList(v, NULL, &l, &err));
    g_assert_null(l);
    check_error(err, "Invalid parameter type for 'null', expected: Either");
}

/* ---- Key=value ---- */

static void test_keyval(void)
{
    g_autoptr(Options) o = options_from(qobject_input_visitor_new_str(
        "int=-0x10,str=a,,b,size=2k,bool=yes,number=1e1,color=red,u8=9,"
        "sub.str=,list.0.int=1,list.1.str=x,ints.0=5,ints.1=6,either.x=1,"
        "either.y=2,null=", NULL, &error_abort), &error_abort);

    g_assert_cmpint(o->q_int, ==, -16);
    g_assert_cmpstr(o->str, ==, "a,b");
    g_assert_cmpint(o->size, ==, 2048);
    g_assert_true(o->q_bool);
    g_assert_cmpfloat(o->number, ==, 10);
    g_assert_cmpint(o->u8, ==, 9);
    g_assert_cmpstr(o->sub->str, ==, "");
    g_assert_cmpstr(o->list->next->value->str, ==, "x");
    g_assert_cmpint(o->ints->next->value, ==, 6);
    g_assert_cmpint(o->either->u.p.y, ==, 2);
    g_assert_true(o->has_null && o->null);
}

static void test_implied_key(void)
{
    g_autoptr(Options) o = options_from(qobject_input_visitor_new_str(
        "text,int=1", "str", &error_abort), &error_abort);

    g_assert_cmpstr(o->str, ==, "text");
}

static void test_json_argument(void)
{
    g_autoptr(Options) o = options_from(qobject_input_visitor_new_str(
        "{'int': 1}", "str", &error_abort), &error_abort);
    Error *err = NULL;

    g_assert_cmpint(o->q_int, ==, 1);
    g_assert_null(qobject_input_visitor_new_str("{'int': 1", "str", &err));
    check_error(err, "JSON parse error, premature EOI");
}

static void check_keyval_error(const char *args, const char *msg)
{
    Error *err = NULL;

    g_assert_null(options_from(
        qobject_input_visitor_new_str(args, NULL, &error_abort), &err));
    check_error(err, msg);
}

static void test_keyval_errors(void)
{
    check_keyval_error("int=1x", "Parameter 'int' expects integer");
    check_keyval_error("int=", "Parameter 'int' expects integer");
    check_keyval_error("u8=300", "Parameter 'u8' expects uint8_t");
    check_keyval_error("size=x", "Parameter 'size' expects size");
    check_keyval_error("bool=1", "Parameter 'bool' expects 'on' or 'off'");
    check_keyval_error("number=x", "Invalid parameter type for 'number', "
                                   "expected: number");
    check_keyval_error("null=x", "Invalid parameter type for 'null', "
                                 "expected: null");
    check_keyval_error("color=pink", "Parameter 'color' does not accept "
                                     "value 'pink'");
    check_keyval_error("str.x=1", "Parameters 'str.*' are unexpected");
    check_keyval_error("color.x=1", "Parameters 'color.*' are unexpected");
    check_keyval_error("sub=x", "Invalid parameter type for 'sub', expected: "
                                "object");
    check_keyval_error("list.0.sub.bad=x", "Parameter 'list.0.sub.bad' is "
                                           "unexpected");
    check_keyval_error("list.0.int=x", "Parameter 'list.0.int' expects "
                                       "integer");
    check_keyval_error("ints.0=1,ints.1=x", "Parameter 'ints.1' expects "
                                            "integer");
}

static void test_malformed_keyval(void)
{
    static const char *const bad[][2] = {
        { "a..b=1", "Invalid parameter 'a..b'" },
        { ".a=1", "Invalid parameter '.a'" },
        { "a.=1", "Invalid parameter 'a.'" },
        { "9=1", "Invalid parameter '9'" },
        { "a=1,a.b=2", "Parameters 'a.*' used inconsistently" },
        { "a.b=1,a=2", "Parameters 'a.*' used inconsistently" },
        { "a.0=1,a.2=2", "Parameter 'a.1' missing" },
    };
    int i;

    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        Error *err = NULL;

        g_assert_null(qobject_input_visitor_new_str(bad[i][0], NULL, &err));
        check_error(err, bad[i][1]);
    }
}

/* Options that went through flat dicts, with and without types */
static void test_flat_confused(void)
{
    g_autoptr(QDict) flat = qdict_from_jsonf_nofail(
        "{'int': 5, 'bool': true, 'size': '1k', 'sub.int': '6',"
        " 'list': [{'bool': false}], 'str': 'x'}");
    g_autoptr(Options) o = options_from(
        qobject_input_visitor_new_flat_confused(flat, &error_abort),
        &error_abort);

    g_assert_cmpint(o->q_int, ==, 5);
    g_assert_true(o->q_bool);
    g_assert_cmpint(o->size, ==, 1024);
    g_assert_cmpint(o->sub->q_int, ==, 6);
    g_assert_true(o->list->value->has_q_bool);
    g_assert_false(o->list->value->q_bool);
}

/* ---- Without C objects ---- */

static void test_virtual(void)
{
    g_autoptr(Visitor) v = input("{'a': 1, 'l': [2, 3]}");
    Error *err = NULL;
    int64_t i;

    g_assert_true(visit_start_struct(v, NULL, NULL, 0, &error_abort));
    visit_type_int(v, "a", &i, &error_abort);
    g_assert_cmpint(i, ==, 1);
    g_assert_true(visit_start_list(v, "l", NULL, 0, &error_abort));
    visit_type_int(v, NULL, &i, &error_abort);
    g_assert_cmpint(i, ==, 2);
    g_assert_false(visit_check_list(v, &err));
    check_error(err, "Parameter 'l[1]' is unexpected");
    visit_end_list(v, NULL);
    g_assert_true(visit_check_struct(v, &error_abort));
    visit_end_struct(v, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/input/integers", test_integers);
    g_test_add_func("/input/scalars", test_other_scalars);
    g_test_add_func("/input/struct", test_struct);
    g_test_add_func("/input/base", test_base);
    g_test_add_func("/input/list", test_list);
    g_test_add_func("/input/union", test_union);
    g_test_add_func("/input/alternate", test_alternate);
    g_test_add_func("/input/errors", test_errors);
    g_test_add_func("/input/errors/paths", test_paths);
    g_test_add_func("/input/errors/missing", test_missing);
    g_test_add_func("/input/errors/alternate", test_alternate_in_list);
    g_test_add_func("/input/keyval", test_keyval);
    g_test_add_func("/input/keyval/implied-key", test_implied_key);
    g_test_add_func("/input/keyval/json", test_json_argument);
    g_test_add_func("/input/keyval/errors", test_keyval_errors);
    g_test_add_func("/input/keyval/malformed", test_malformed_keyval);
    g_test_add_func("/input/keyval/flat", test_flat_confused);
    g_test_add_func("/input/virtual", test_virtual);
    return g_test_run();
}
