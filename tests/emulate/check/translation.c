/* translation.c: the way into the emulator and back: what of a function is emulated and what is not, in one.
 *
 * Run as Cascade Lake (QCC_EMULATE=avx512vnni).  On a CPU that has AVX-512 all but the refusals hold as well, and those
 * where it is hidden (QCC_EMULATE_HOST=avx2). */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failure.h"
#include "machine.h"

static int failures;

static void expect(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s\n", what);
        failures++;
    }
}

/* ---- Registers ---- */

/* A VEX instruction zeroes the upper half of what it writes, and of that alone; vzeroupper those of registers 0…15. */
static void check_upper_halves(void)
{
    uint32_t out[4][16];

    __asm__ volatile("vpternlogd $255, %%zmm1, %%zmm1, %%zmm1\n"
                     "vmovdqa64 %%zmm1, %%zmm2\n"
                     "vmovdqa64 %%zmm1, %%zmm20\n"
                     "vpaddd %%ymm1, %%ymm1, %%ymm1\n"
                     "vmovdqu64 %%zmm1, (%0)\n"
                     "vmovdqu64 %%zmm2, 64(%0)\n"
                     "vzeroupper\n"
                     "vmovdqu64 %%zmm2, 128(%0)\n"
                     "vmovdqu64 %%zmm20, 192(%0)\n"
                     "vzeroupper\n" ::"r"(out)
                     : "memory", "xmm1", "xmm2");
    expect(out[0][0] == 0xfffffffe && out[0][7] == 0xfffffffe && !out[0][8] && !out[0][15], "VEX and its upper half");
    expect(out[1][15] == 0xffffffff, "a register that VEX did not write");
    expect(out[2][3] == 0xffffffff && !out[2][4] && !out[2][8] && !out[2][15], "vzeroupper");
    expect(out[3][15] == 0xffffffff, "a register beyond vzeroupper");
}

/* Flags, the red zone, and operands relative to the stack and to the instruction. */
static void check_surroundings(void)
{
    uint64_t red = 0, equal = 0, popped = 0, constant[8] = {0};

    __asm__ volatile("movq $77, -8(%%rsp)\n"
                     "cmpq $5, %4\n"
                     "vpxord %%zmm3, %%zmm3, %%zmm3\n"
                     "sete %b1\n"
                     "movq -8(%%rsp), %0\n"
                     "lea -128(%%rsp), %%rsp\n"
                     "pushq $99\n"
                     "vpbroadcastq (%%rsp), %%zmm16\n"
                     "vmovq %%xmm16, %2\n"
                     "lea 136(%%rsp), %%rsp\n"
                     "vpbroadcastq 1f(%%rip), %%zmm17\n"
                     "vmovdqu64 %%zmm17, (%3)\n"
                     "jmp 2f\n"
                     "1: .quad 123456789\n"
                     "2: vzeroupper\n"
                     : "=&r"(red), "+&r"(equal), "=&r"(popped)
                     : "r"(constant), "r"((uint64_t)5)
                     : "memory", "cc", "xmm3");
    expect(red == 77, "the red zone");
    expect(equal == 1, "flags");
    expect(popped == 99, "an operand on the stack");
    expect(constant[7] == 123456789, "an operand beside the code");
}

/* ---- Control ---- */

/* A loop, and a jump through a table of which each case finds zmm16 as it was left. */
static void check_jumps(void)
{
    static const uint64_t wanted[3] = {11, 22, 33};

    for (uint64_t which = 0; which < 3; which++) {
        uint64_t sum = 0, address;
        __asm__ volatile("movl $10, %%ecx\n"
                         "vpxorq %%zmm16, %%zmm16, %%zmm16\n"
                         "1: movl $1, %%eax\n"
                         "vpbroadcastq %%rax, %%zmm17\n"
                         "vpaddq %%zmm17, %%zmm16, %%zmm16\n"
                         "decl %%ecx\n"
                         "jnz 1b\n"
                         "lea 2f(%%rip), %1\n"
                         "movslq (%1,%2,4), %%rax\n"
                         "addq %%rax, %1\n"
                         "jmp *%1\n"
                         ".p2align 2\n"
                         "2: .long 3f - 2b, 4f - 2b, 5f - 2b\n"
                         "3: movl $1, %%eax\n jmp 6f\n"
                         "4: movl $12, %%eax\n jmp 6f\n"
                         "5: movl $23, %%eax\n"
                         "6: vpbroadcastq %%rax, %%zmm17\n"
                         "vpaddq %%zmm17, %%zmm16, %%zmm16\n"
                         "vextracti32x4 $3, %%zmm16, %%xmm16\n"
                         "vmovq %%xmm16, %0\n"
                         "vzeroupper\n"
                         : "=&r"(sum), "=&r"(address)
                         : "r"(which)
                         : "rax", "rcx", "cc", "memory");
        expect(sum == wanted[which], "a jump through a table");
    }
}

__attribute__((noinline)) static uint64_t lanes_of(uint64_t value)
{
    uint64_t out[8];

    __asm__ volatile("vpbroadcastq %0, %%zmm18\n"
                     "vmovdqu64 %%zmm18, (%1)\n"
                     "vzeroupper\n" ::"r"(value),
                     "r"(out)
                     : "memory");
    return out[0] + out[7];
}

/* Calls, direct and through pointers, between emulated instructions. */
static void check_calls(void)
{
    uint64_t (*volatile indirect)(uint64_t) = lanes_of;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < 100; i++)
        sum += lanes_of(i) + indirect(i);
    expect(sum == 4 * 4950, "calls");
}

/* ---- Memory ---- */

/* Inactive lanes of memory that isn't there. */
static void check_masked_memory(void)
{
    uint8_t *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), out[64];

    if (pages == MAP_FAILED || mprotect(pages + 4096, 4096, PROT_NONE))
        exit(1);
    memset(pages, 7, 4096);
    __asm__ volatile("kmovq %2, %%k1\n"
                     "kmovq %3, %%k2\n"
                     "vmovdqu8 (%0), %%zmm16%{%%k1%}%{z%}\n"
                     "vpaddb (%0), %%zmm16, %%zmm16%{%%k2%}%{z%}\n"
                     "vmovdqu8 (%0), %%zmm16%{%%k1%}%{z%}\n"
                     "vmovdqu8 %%zmm16, (%1)\n"
                     "vpaddb %%zmm16, %%zmm16, %%zmm16\n"
                     "vmovdqu8 %%zmm16, (%0)%{%%k1%}\n"
                     "vzeroupper\n" ::"r"(pages + 4096 - 10),
                     "r"(out), "r"((uint64_t)0x3ff), "r"((uint64_t)0)
                     : "memory");
    expect(out[0] == 7 && out[9] == 7 && !out[10] && !out[63], "a masked load");
    expect(pages[4096 - 10] == 14 && pages[4095] == 14 && pages[4096 - 11] == 7, "a masked store");
}

/* ---- Refusals ---- */

static void of_another_machine(void) { __asm__ volatile("vpermb %zmm1, %zmm2, %zmm3"); }
static void not_emulated(void) { __asm__ volatile("vrcp14ps %zmm1, %zmm2"); }

static void misaligned(void)
{
    static uint8_t memory[129] __attribute__((aligned(64)));

    __asm__ volatile("vmovdqa64 (%0), %%zmm1" ::"r"(memory + 1) : "memory");
}

/* The child ends, and says why. */
static void check_refusal(void (*f)(void), const char *what)
{
    int ends[2], status = 0;
    char text[256] = "";

    if (pipe(ends))
        exit(1);
    const pid_t child = fork();
    if (!child) {
        dup2(ends[1], STDERR_FILENO);
        f();
        _exit(0);
    }
    close(ends[1]);
    for (size_t used = 0, got = 1; got && used < sizeof text - 1; used += got) {
        const ssize_t n = read(ends[0], text + used, sizeof text - 1 - used);
        got = n > 0 ? (size_t)n : 0;
    }
    close(ends[0]);
    waitpid(child, &status, 0);
    expect(WIFEXITED(status) && WEXITSTATUS(status) == FAILURE_STATUS && strstr(text, what), what);
}

/* Asks the kernel: cpuid would tell of the machine that is emulated. */
static bool is_emulated(void)
{
    char line[4096];
    bool real = false;

    if (machine_host_named())
        return true;

    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f))
        real |= strstr(line, " avx512f ") != NULL;
    if (f)
        fclose(f);
    return f && !real;
}

int main(void)
{
    if (!machine_host_suffices()) {
        printf("skipped: this CPU lacks AVX2, FMA or F16C\n");
        return 77;
    }
    check_upper_halves();
    check_surroundings();
    check_jumps();
    check_calls();
    check_masked_memory();
    if (is_emulated()) {
        check_refusal(of_another_machine, "the machine lacks: vpermb");
        check_refusal(not_emulated, "not emulated: vrcp14ps");
        check_refusal(misaligned, "misaligned: vmovdqa64");
    }
    return failures != 0;
}
