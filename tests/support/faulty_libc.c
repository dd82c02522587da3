/* A disk that fails and a clock that is wrong, for as long as a test wants. LD_PRELOAD it
 * into the process that is to suffer.
 *
 * $FAULTY_CONTROL is a file of two 64-bit integers, read anew at each call: the errno of
 * every write to a file in $FAULTY_DIR, 0 for none; and how many nanoseconds the time of
 * day is ahead. Memory-mapped files are not followed.
 *
 * tests/support/faulty_libc.py compiles this and writes the integers.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define MAX_FD 4096
#define SECOND 1000000000L

struct control { volatile int64_t write_errno, ahead_ns; };

static struct control none, *control = &none;
static char suffers[MAX_FD];

/* The C library's own function. */
static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

#define REAL(name)                        \
    static __typeof__(&name) real_##name; \
    if (!real_##name) real_##name = (__typeof__(&name))real(#name)

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULTY_CONTROL");
    REAL(open);
    int fd = path ? real_open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *mapped = mmap(NULL, sizeof *control, PROT_READ, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED) control = mapped;
    close(fd);
}

static void opened(int fd, const char *path) {
    const char *folder = getenv("FAULTY_DIR");
    size_t length = folder ? strlen(folder) : 0;
    if (fd < 0 || fd >= MAX_FD) return;
    suffers[fd] = length && !strncmp(path, folder, length) && path[length] == '/';
}

static int fails(int fd) {
    if (fd < 0 || fd >= MAX_FD || !suffers[fd] || !control->write_errno) return 0;
    errno = (int)control->write_errno;
    return 1;
}

/* What follows stands before the C library's functions of the same names. */

#define OPEN(name)                                  \
    int name(const char *path, int flags, ...) {    \
        REAL(name);                                 \
        mode_t mode = 0;                            \
        if (flags & O_CREAT) {                      \
            va_list more;                           \
            va_start(more, flags);                  \
            mode = va_arg(more, mode_t);            \
            va_end(more);                           \
        }                                           \
        int fd = real_##name(path, flags, mode);    \
        opened(fd, path);                           \
        return fd;                                  \
    }
OPEN(open)
OPEN(open64)

#define FAILING(result, name, types, values) \
    result name types {                      \
        REAL(name);                          \
        if (fails(fd)) return -1;            \
        return real_##name values;           \
    }
FAILING(ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n))
FAILING(ssize_t, pwrite, (int fd, const void *from, size_t n, off_t at), (fd, from, n, at))
FAILING(ssize_t, pwrite64, (int fd, const void *from, size_t n, off_t at),
        (fd, from, n, at))
FAILING(int, ftruncate, (int fd, off_t n), (fd, n))
FAILING(int, ftruncate64, (int fd, off_t n), (fd, n))
FAILING(int, fsync, (int fd), (fd))
FAILING(int, fdatasync, (int fd), (fd))

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int failed = real_clock_gettime(clock, now);
    if (failed || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return failed;
    int64_t ns = now->tv_sec * SECOND + now->tv_nsec + control->ahead_ns;
    now->tv_sec = ns / SECOND;
    now->tv_nsec = ns % SECOND;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    int failed = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return failed;
}

time_t time(time_t *into) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (into) *into = exact.tv_sec;
    return exact.tv_sec;
}

int close(int fd) {
    REAL(close);
    if (fd >= 0 && fd < MAX_FD) suffers[fd] = 0;
    return real_close(fd);
}
