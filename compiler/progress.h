/* progress.h: how far a long run is, in one line on the terminal, if stderr is one. */
#ifndef QCC_PROGRESS_H
#define QCC_PROGRESS_H

/* To be called as samples are done, with the seconds since the start; the last call removes the line. */
void progress_show(void *unused, int done, int count, double seconds);

/* With how many decimals a rate is said: three digits. */
int progress_decimals(double rate);

/* What is being done, until the next call; NULL: nothing any more, the line is free for something else. */
void progress_stage(const char *what);

#endif
