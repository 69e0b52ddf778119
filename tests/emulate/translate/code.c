/* code.c: machine code. */
#include "code.h"

#include <string.h>
#include <sys/mman.h>

#include "enter.h"
#include "failure.h"

/* Memory that has been mapped last: [gate, end), of which [at, end) is free. */
static struct {
    uint8_t *gate, *at, *end;
} chunk;

enum { CHUNK = 16 << 20, REACH = 0x60000000, STEP = 16 << 20 };

static int64_t distance(const void *from, const void *to) { return (int64_t)((uintptr_t)to - (uintptr_t)from); }

static uint8_t *map_near(const void *original, size_t bytes)
{
    const uintptr_t page = (uintptr_t)original & ~(uintptr_t)4095;

    for (uintptr_t away = STEP; away < REACH; away += STEP)
        for (int up = 0; up < 2; up++) {
            void *hint = (void *)(up ? page + away : page - away);
            void *memory = mmap(hint, bytes, PROT_READ | PROT_WRITE | PROT_EXEC,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
            if (memory != MAP_FAILED)
                return memory;
        }
    failure("no memory in reach of the code");
}

code code_begin(const void *original, size_t bytes, void (*enter)(void))
{
    const int64_t away = distance(original, chunk.at);

    if (!chunk.at || chunk.at + bytes > chunk.end || away > REACH || away < -REACH) {
        const size_t size = bytes + 64 > CHUNK ? bytes + 64 : CHUNK;
        chunk.gate = map_near(original, size);
        chunk.end = chunk.gate + size;
        code gate = {.at = chunk.gate};
        code_jump_far(&gate, (const uint8_t *)(uintptr_t)enter);
        chunk.at = gate.at;
    }
    return (code){chunk.at, chunk.gate};
}

void code_done(const code *c) { chunk.at = c->at; }

void code_bytes(code *c, const void *bytes, size_t count)
{
    memcpy(c->at, bytes, count);
    c->at += count;
}

void code_i32(code *c, int64_t value)
{
    const int32_t v = (int32_t)value;

    if (v != value)
        failure("translated code is out of reach");
    code_bytes(c, &v, sizeof v);
}

void code_branch(code *c, uint8_t opcode, const uint8_t *to)
{
    code_bytes(c, &opcode, 1);
    code_i32(c, distance(c->at + 4, to));
}

/* %fs:… of something in emulate_state. */
static void thread_local_at(code *c, const void *what) { code_i32(c, distance(__builtin_thread_pointer(), what)); }

#define BYTES(c, ...) code_bytes(c, (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

void code_call_group(code *c, const group *g)
{
    BYTES(c, 0x64, 0x48, 0x89, 0x04, 0x25); /* mov %rax, %fs:… */
    thread_local_at(c, &emulate_state.rax);
    BYTES(c, 0x48, 0x8d, 0x64, 0x24, 0x80); /* lea -128(%rsp), %rsp */
    BYTES(c, 0x48, 0xb8);                   /* mov $…, %rax */
    code_bytes(c, &g, sizeof g);
    code_branch(c, 0xe8, c->gate);
    BYTES(c, 0x48, 0x8d, 0xa4, 0x24, 0x80, 0, 0, 0); /* lea 128(%rsp), %rsp */
}

void code_jump_next(code *c)
{
    BYTES(c, 0x64, 0xff, 0x24, 0x25); /* jmp *%fs:… */
    thread_local_at(c, &emulate_state.next);
}

void code_note_stale(code *c, unsigned number)
{
    BYTES(c, 0x64, 0xc6, 0x04, 0x25); /* movb $1, %fs:… */
    thread_local_at(c, &emulate_state.stale[number]);
    BYTES(c, 1);
}

void code_note_all_stale(code *c)
{
    for (int i = 0; i < 16; i += 4) {
        BYTES(c, 0x64, 0xc7, 0x04, 0x25); /* movl $0x01010101, %fs:… */
        thread_local_at(c, &emulate_state.stale[i]);
        BYTES(c, 1, 1, 1, 1);
    }
}

void code_call_far(code *c, const uint8_t *to)
{
    BYTES(c, 0xff, 0x15, 2, 0, 0, 0, 0xeb, 8); /* call *2(%rip); jmp over the address */
    code_bytes(c, &to, sizeof to);
}

void code_jump_far(code *c, const uint8_t *to)
{
    BYTES(c, 0xff, 0x25, 0, 0, 0, 0); /* jmp *(%rip) */
    code_bytes(c, &to, sizeof to);
}
