/* Keeps a copy of some files as a disk has them whose power is cut: with what was
 * synced, and nothing else. LD_PRELOAD it into the process that writes them.
 *
 * Bytes that are written to a file in $POWER_CUT_DIR go into the file of the same
 * name in $POWER_CUT_SHADOW when the file is synced. Names are on the disk at once,
 * as if each change of the folder were followed by its sync. Memory-mapped files
 * are not followed: SQLite's shared index is one, and it is never synced.
 *
 * test_feed_power_cut.py compiles this, kills the process and puts the copy in place.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define MAX_FD 4096
#define MAX_FILES 32
#define END_OF_FILE LLONG_MAX

struct range { off_t start, end; };

struct file {
    char name[NAME_MAX + 1];
    struct range *dirty;            /* Written since the last sync, in that order. */
    size_t count, room;
};

static struct file files[MAX_FILES];
static struct file *by_fd[MAX_FD];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void die(const char *why) {
    dprintf(2, "power_cut: %s\n", why);
    abort();
}

/* The C library's own function. */
static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) die(name);
    return found;
}

#define REAL(name)                        \
    static __typeof__(&name) real_##name; \
    if (!real_##name) real_##name = (__typeof__(&name))real(#name)

/* The last part of `path` when it is a file of the folder, else NULL. */
static const char *name_in_folder(const char *path) {
    const char *folder = getenv("POWER_CUT_DIR");
    size_t length = folder ? strlen(folder) : 0;
    if (!length || strncmp(path, folder, length) || path[length] != '/') return NULL;
    return strchr(path + length + 1, '/') ? NULL : path + length + 1;
}

static const char *in_shadow(char path[PATH_MAX], const char *name) {
    snprintf(path, PATH_MAX, "%s/%s", getenv("POWER_CUT_SHADOW"), name);
    return path;
}

static int open_shadow(const char *name) {
    char path[PATH_MAX];
    REAL(open64);
    int fd = real_open64(in_shadow(path, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) die("the shadow of a file cannot be opened");
    return fd;
}

static struct file *file_named(const char *name) {
    struct file *file = files;
    for (; file < files + MAX_FILES && *file->name; file++)
        if (!strcmp(file->name, name)) return file;
    if (file == files + MAX_FILES) die("too many files");
    strcpy(file->name, name);
    return file;
}

/* Two connections to one database have a descriptor each, of the same file. */
static void opened(int fd) {
    char link[64], path[PATH_MAX];
    if (fd < 0 || fd >= MAX_FD) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    const char *name = name_in_folder(path);
    pthread_mutex_lock(&lock);
    by_fd[fd] = name ? file_named(name) : NULL;
    pthread_mutex_unlock(&lock);
}

static struct file *followed(int fd) {
    return fd >= 0 && fd < MAX_FD ? by_fd[fd] : NULL;
}

static void wrote(int fd, off_t start, off_t end) {
    struct file *file = followed(fd);
    if (!file || end <= start) return;
    pthread_mutex_lock(&lock);
    struct range *last = file->count ? &file->dirty[file->count - 1] : NULL;
    if (last && last->end == start) {
        last->end = end;
    } else {
        if (file->count == file->room) {
            file->room = file->room ? 2 * file->room : 256;
            file->dirty = realloc(file->dirty, file->room * sizeof *file->dirty);
            if (!file->dirty) die("out of memory");
        }
        file->dirty[file->count++] = (struct range){start, end};
    }
    pthread_mutex_unlock(&lock);
}

static void copy(int from, int to, struct range range) {
    static char bytes[1 << 16]; /* Under the lock. */
    REAL(pwrite64);
    while (range.start < range.end) {
        off_t left = range.end - range.start;
        size_t want = left < (off_t)sizeof bytes ? (size_t)left : sizeof bytes;
        ssize_t got = pread64(from, bytes, want, range.start);
        if (got <= 0) return; /* The file ends here now. */
        if (real_pwrite64(to, bytes, (size_t)got, range.start) != got)
            die("the shadow of a file cannot be written");
        range.start += got;
    }
}

/* The disk now has all that was written. A kill in the midst of this leaves a part of
 * it there, as a power cut in the midst of a sync does. */
static void synced(int fd) {
    struct file *file = followed(fd);
    struct stat now;
    if (!file) return;
    REAL(ftruncate64);
    REAL(close);
    pthread_mutex_lock(&lock);
    int to = open_shadow(file->name);
    for (size_t i = 0; i < file->count; i++) copy(fd, to, file->dirty[i]);
    file->count = 0;
    if (fstat(fd, &now) || real_ftruncate64(to, now.st_size))
        die("the shadow of a file cannot be cut to its size");
    real_close(to);
    pthread_mutex_unlock(&lock);
}

/* What follows stands before the C library's functions of the same names. */

#define OPEN(name)                                  \
    int name(const char *path, int flags, ...) {    \
        REAL(name);                                 \
        mode_t mode = 0;                            \
        if (flags & O_CREAT) {                     \
            va_list more;                           \
            va_start(more, flags);                  \
            mode = va_arg(more, mode_t);            \
            va_end(more);                           \
        }                                           \
        int fd = real_##name(path, flags, mode);    \
        opened(fd);                                 \
        return fd;                                  \
    }
OPEN(open)
OPEN(open64)

#define PWRITE(name)                                                          \
    ssize_t name(int fd, const void *bytes, size_t length, off_t start) {     \
        REAL(name);                                                           \
        ssize_t done = real_##name(fd, bytes, length, start);                 \
        wrote(fd, start, start + done);                                       \
        return done;                                                          \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    ssize_t done = real_write(fd, bytes, length);
    if (followed(fd) && done > 0) {
        off_t end = lseek(fd, 0, SEEK_CUR);
        wrote(fd, end - done, end);
    }
    return done;
}

/* What lies behind the cut may be written again, with holes, before the sync. */
#define FTRUNCATE(name)                                      \
    int name(int fd, off_t length) {                         \
        REAL(name);                                          \
        int failed = real_##name(fd, length);                \
        if (!failed) wrote(fd, length, END_OF_FILE);         \
        return failed;                                       \
    }
FTRUNCATE(ftruncate)
FTRUNCATE(ftruncate64)

#define SYNC(name)                       \
    int name(int fd) {                   \
        REAL(name);                      \
        int failed = real_##name(fd);    \
        if (!failed) synced(fd);         \
        return failed;                   \
    }
SYNC(fsync)
SYNC(fdatasync)

int close(int fd) {
    REAL(close);
    if (fd >= 0 && fd < MAX_FD) by_fd[fd] = NULL;
    return real_close(fd);
}

int unlink(const char *path) {
    REAL(unlink);
    const char *name = name_in_folder(path);
    int failed = real_unlink(path);
    if (!failed && name) {
        char shadow[PATH_MAX];
        pthread_mutex_lock(&lock);
        file_named(name)->count = 0;
        real_unlink(in_shadow(shadow, name));
        pthread_mutex_unlock(&lock);
    }
    return failed;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    const char *before = name_in_folder(from), *after = name_in_folder(to);
    int failed = real_rename(from, to);
    if (!failed && before && after) {
        char old[PATH_MAX], new[PATH_MAX];
        pthread_mutex_lock(&lock);
        struct file *moved = file_named(before), *replaced = file_named(after);
        free(replaced->dirty);
        replaced->dirty = moved->dirty;
        replaced->count = moved->count;
        replaced->room = moved->room;
        moved->dirty = NULL;
        moved->count = moved->room = 0;
        real_rename(in_shadow(old, before), in_shadow(new, after));
        pthread_mutex_unlock(&lock);
    }
    return failed;
}
