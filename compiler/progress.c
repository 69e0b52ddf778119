/* progress.c: a bar, how many samples a second, how long still; or what is being done. */
#include "compiler/progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BAR_WIDTH = 30, LINE_BYTES = 160 };

int progress_decimals(double rate) { return rate < 10 ? 2 : rate < 100 ? 1 : 0; }

void progress_show(void *unused, int done, int count, double seconds)
{
    char line[LINE_BYTES];
    (void)unused;
    if (!isatty(STDERR_FILENO))
        return;
    const int filled = count ? (int)((long long)done * BAR_WIDTH / count) : BAR_WIDTH;
    const double rate = seconds > 0 ? done / seconds : 0;
    int length = snprintf(line, sizeof line, "[%.*s%*s] %d/%d", filled, "##############################",
                          BAR_WIDTH - filled, "", done, count);
    if (rate > 0)
        length += snprintf(line + length, sizeof line - (size_t)length, ", %.*f/s, %.0f s left",
                           progress_decimals(rate), rate, (count - done) / rate);
    fprintf(stderr, "\r%s\x1b[K", line);
    if (done == count)
        fprintf(stderr, "\r\x1b[K");
}

void progress_stage(const char *what)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%s%s\x1b[K", what ? what : "", what ? " ..." : "");
}
