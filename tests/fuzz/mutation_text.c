/* mutation_text.c: changes to the lines and words of textual IR.
 *
 *     %2:u8<1x2; 0.25, 0> "y" = fully_connected %0, %1 {act = relu}
 *
 * A word is a run of letters, digits, '_', '.', '%' and signs; everything else is one of its own. */
#include <stdio.h>
#include <string.h>

#include "mutation.h"

typedef struct span {
    size_t at, length;
} span;

static bool in_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '%' || c == '-' || c == '+';
}

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

/* Some word; in a list of extents such as 1x224x3 one of the numbers. */
static span some_word(mutation *m)
{
    size_t at = mutation_below(m, m->size), end;
    for (int i = 0; i < 8 && !in_word(m->bytes[at]); i++)
        at = mutation_below(m, m->size);
    end = at + 1;
    if (!in_word(m->bytes[at]))
        return (span){at, 1};
    const bool number = is_digit(m->bytes[at]);
    while (at && in_word(m->bytes[at - 1]) && (!number || m->bytes[at - 1] != 'x'))
        at--;
    while (end < m->size && in_word(m->bytes[end]) && (!number || m->bytes[end] != 'x'))
        end++;
    return (span){at, end - at};
}

static span some_line(mutation *m)
{
    size_t at = mutation_below(m, m->size), end = at;
    while (at && m->bytes[at - 1] != '\n')
        at--;
    while (end < m->size && m->bytes[end++] != '\n')
        ;
    return (span){at, end - at};
}

/* A number in the place of a word: the edges of all types. */
static void change_number(mutation *m)
{
    static const char *const numbers[] = {"0",
                                          "1",
                                          "2",
                                          "3",
                                          "4",
                                          "7",
                                          "8",
                                          "16",
                                          "255",
                                          "256",
                                          "-1",
                                          "-128",
                                          "127",
                                          "128",
                                          "65535",
                                          "65536",
                                          "32767",
                                          "-32768",
                                          "2147483647",
                                          "2147483648",
                                          "-2147483648",
                                          "4294967295",
                                          "9223372036854775807",
                                          "-9223372036854775808",
                                          "18446744073709551616",
                                          "1000000000",
                                          "0.5",
                                          "1.0",
                                          "-0.0",
                                          "1e-45",
                                          "1.1754944e-38",
                                          "3.4028235e38",
                                          "1e39",
                                          "-1e39",
                                          "inf",
                                          "-inf",
                                          "nan",
                                          "1e999",
                                          "0x1p-149",
                                          "0.00392156886"};
    span word = some_word(m);
    for (int i = 0; i < 8 && !is_digit(m->bytes[word.at + word.length - 1]); i++)
        word = some_word(m);
    const char *with = numbers[mutation_below(m, sizeof numbers / sizeof *numbers)];
    mutation_replace(m, word.at, word.length, with, strlen(with));
}

static void change_name(mutation *m)
{
    size_t length;
    span word = some_word(m);
    for (int i = 0; i < 8 && !(m->bytes[word.at] >= 'a' && m->bytes[word.at] <= 'z'); i++)
        word = some_word(m);
    const char *with = mutation_word(m, &length);
    mutation_replace(m, word.at, word.length, with, length);
}

/* A value for another: %7 for %4. */
static void change_value(mutation *m)
{
    char with[16];
    span word = some_word(m);
    for (int i = 0; i < 32 && m->bytes[word.at] != '%'; i++)
        word = some_word(m);
    int length = snprintf(with, sizeof with, "%%%zu", mutation_below(m, 12));
    mutation_replace(m, word.at, word.length, with, (size_t)length);
}

/* A copy of one stretch takes the place of another, or stands in front of it. */
static void copy_over(mutation *m, span from, span to)
{
    uint8_t copy[512];
    if (from.length > sizeof copy)
        return;
    memcpy(copy, m->bytes + from.at, from.length);
    mutation_replace(m, to.at, mutation_below(m, 2) ? to.length : 0, copy, from.length);
}

static void copy_word(mutation *m)
{
    span from = some_word(m);
    copy_over(m, from, some_word(m));
}

static void copy_line(mutation *m)
{
    span from = some_line(m);
    copy_over(m, from, some_line(m));
}

static void drop_word(mutation *m)
{
    span word = some_word(m);
    mutation_replace(m, word.at, word.length, "", 0);
}

static void drop_line(mutation *m)
{
    span line = some_line(m);
    mutation_replace(m, line.at, line.length, "", 0);
}

static void change_byte(mutation *m) { m->bytes[mutation_below(m, m->size)] = (uint8_t)mutation_below(m, 128); }

void mutation_text(mutation *m)
{
    static void (*const changes[])(mutation *) = {
        change_number, change_number, change_number, change_number, change_name, change_name, change_name, change_value,
        change_value,  copy_word,     copy_word,     copy_line,     drop_word,   drop_line,   change_byte};
    changes[mutation_below(m, sizeof changes / sizeof *changes)](m);
}
