/* hide.c: a hidden instruction is told from what it was by its first byte alone, behind prefixes; nothing is remembered. */
#include "hide.h"

#include <string.h>

#include <Zydis/Zydis.h>

#include "machine.h"

/* First bytes of EVEX and VEX instructions, and opcodes that 64-bit code hasn't. */
static const struct {
    uint8_t shown, hidden;
} pairs[] = {{0x62, 0x06}, {0xc4, 0x07}, {0xc5, 0x0e}};
enum { PAIRS = sizeof pairs / sizeof *pairs };

static size_t prefixes(const uint8_t *code)
{
    size_t count = 0;

    while (count < 4 && (code[count] == 0x64 || code[count] == 0x65 || code[count] == 0x67))
        count++;
    return count;
}

static void hide(uint8_t *code)
{
    uint8_t *first = code + prefixes(code);

    for (int i = 0; i < PAIRS; i++)
        if (*first == pairs[i].shown) {
            *first = pairs[i].hidden;
            return;
        }
}

void hide_code(uint8_t *code, size_t bytes)
{
    const unsigned host = machine_host_features();
    ZydisDecoder lengths, whole;
    ZydisDecodedInstruction in;
    ZydisDecoderContext context;

    ZydisDecoderInit(&lengths, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    whole = lengths;
    ZydisDecoderEnableMode(&lengths, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
    for (size_t at = 0; at < bytes; at += in.length) {
        if (hide_is_hidden(code + at)) { /* seen before */
            uint8_t shown[ZYDIS_MAX_INSTRUCTION_LENGTH];
            const size_t left = bytes - at < sizeof shown ? bytes - at : sizeof shown;
            hide_reveal(code + at, shown, left);
            if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&lengths, &context, shown, left, &in)))
                in.length = 1;
            continue;
        }
        if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&lengths, &context, code + at, bytes - at, &in)))
            in.length = 1;
        else if ((in.encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX || in.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX) &&
                 ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&whole, &context, code + at, bytes - at, &in)) &&
                 machine_needs(&in) & ~host)
            hide(code + at);
    }
}

bool hide_is_hidden(const uint8_t *code)
{
    const uint8_t first = code[prefixes(code)];

    for (int i = 0; i < PAIRS; i++)
        if (first == pairs[i].hidden)
            return true;
    return false;
}

void hide_reveal(const uint8_t *code, uint8_t *out, size_t count)
{
    const size_t first = prefixes(code);

    memcpy(out, code, count);
    for (int i = 0; i < PAIRS && first < count; i++)
        if (out[first] == pairs[i].hidden)
            out[first] = pairs[i].shown;
}
