/* Preloaded into a process under test: it dies between two chosen system calls, loses what it had not
 * synced, finds its disk full, or has its clock jump. Told by a page of shared memory (CHAOS_CONTROL),
 * laid out as `struct control`; of files only those below CHAOS_ROOT count. See shim.py and docs/chaos.md.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t countdown;   /* dies before this many-th call from now; 0: not armed */
    int32_t mode;        /* 0 kill; 1 power cut, all unsynced is lost; 2 power cut, some of it */
    int32_t full;        /* the disk is full */
    int64_t offset_ns;   /* added to the wall clock */
    uint64_t seed;       /* which of the unsynced writes survive in mode 2 */
    int64_t calls;       /* counted so far */
    int64_t undone;      /* writes and names undone by the last power cut */
    int64_t died;        /* 1 + mode, once it has died by this */
    int64_t refused;     /* calls answered with "no space left" */
};

enum kind { WRITE, RENAME, CREATE, REMOVE, MKDIR, RMDIR };
struct undo {            /* one thing done that is not on the disk yet; the newest first */
    struct undo *older;
    enum kind kind;
    dev_t dev;
    ino_t ino, folder, folder2; /* of the file; of the folders whose sync makes a name durable */
    int64_t at, size;    /* WRITE: where, and the file's length before */
    size_t length;
    char *old;           /* WRITE: the bytes that were there */
    char *path, *other;  /* RENAME: from, to; what `to` was before lies in `saved` */
    char *saved;
};

static struct control *page;
static struct undo *newest;
static char root[PATH_MAX];
static size_t root_length;
static pid_t own;
static long saves;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("CHAOS_CONTROL"), *below = getenv("CHAOS_ROOT");
    if (path == NULL || below == NULL || realpath(below, root) == NULL) return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *found = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (found == MAP_FAILED) return;
    root_length = strlen(root);
    own = (pid_t)syscall(SYS_getpid);
    page = found;
}

/* A child between fork and exec shares the page, but is not the process under test. */
static int watched(void) { return page != NULL && (pid_t)syscall(SYS_getpid) == own; }

static int below(const char *path) {
    return strncmp(path, root, root_length) == 0 && path[root_length] == '/'
        && strncmp(path + root_length, "/.chaos", 7) != 0;
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH_MAX - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return below(path);
}

static int path_at(int folder, const char *name, char *path) {
    if (name[0] == '/') return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX && below(path);
    char base[PATH_MAX] = "";
    if (folder == AT_FDCWD) {
        if (getcwd(base, sizeof base) == NULL) return 0;
    } else {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t n = readlink(link, base, sizeof base - 1);
        if (n <= 0) return 0;
        base[n] = 0;
    }
    return snprintf(path, PATH_MAX, "%s/%s", base, name) < PATH_MAX && below(path);
}

static ino_t folder_of(const char *path) {
    char base[PATH_MAX];
    struct stat found;
    snprintf(base, sizeof base, "%s", path);
    char *slash = strrchr(base, '/');
    if (slash != NULL) *slash = 0;
    return stat(base, &found) == 0 ? found.st_ino : 0;
}

/* Undo in reverse order what was not synced. Names are a journal: all of them go, or a newest part. */
static void power_cut(void) {
    uint64_t chance = page->seed | 1;
    int some = page->mode == 2, names = 1;
    for (struct undo *it = newest; it != NULL; it = it->older) {
        chance ^= chance << 13; chance ^= chance >> 7; chance ^= chance << 17;
        if (some && it->kind == WRITE && (chance & 1)) continue;
        if (some && it->kind != WRITE && (chance & 3) == 0) names = 0;
        if (it->kind != WRITE && !names) continue;
        page->undone++;
        if (it->kind == WRITE) {
            struct stat found;
            int fd = (int)syscall(SYS_openat, AT_FDCWD, it->path, O_RDWR | O_CLOEXEC);
            if (fd < 0) continue;
            if (fstat(fd, &found) == 0 && found.st_ino == it->ino && found.st_dev == it->dev) {
                if (it->length) syscall(SYS_pwrite64, fd, it->old, it->length, it->at);
                syscall(SYS_ftruncate, fd, it->size);
            }
            syscall(SYS_close, fd);
        } else if (it->kind == CREATE) {
            syscall(SYS_unlinkat, AT_FDCWD, it->path, 0);
        } else if (it->kind == MKDIR) {
            syscall(SYS_unlinkat, AT_FDCWD, it->path, AT_REMOVEDIR);
        } else if (it->kind == RMDIR) {
            syscall(SYS_mkdirat, AT_FDCWD, it->path, 0700);
        } else if (it->kind == REMOVE) {
            if (it->saved) syscall(SYS_renameat, AT_FDCWD, it->saved, AT_FDCWD, it->path);
        } else {
            syscall(SYS_renameat, AT_FDCWD, it->other, AT_FDCWD, it->path);
            if (it->saved) syscall(SYS_renameat, AT_FDCWD, it->saved, AT_FDCWD, it->other);
        }
    }
}

/* Before every call that leaves a trace: here it may be the end. */
static void step(void) {
    __atomic_add_fetch(&page->calls, 1, __ATOMIC_RELAXED);
    if (__atomic_load_n(&page->countdown, __ATOMIC_RELAXED) <= 0) return;
    if (__atomic_sub_fetch(&page->countdown, 1, __ATOMIC_ACQ_REL) != 0) return;
    if (page->mode) {
        pthread_mutex_lock(&lock);
        power_cut();
    }
    page->died = 1 + page->mode;
    syscall(SYS_kill, own, SIGKILL);
    pause();
}

static int refuse(void) {
    __atomic_add_fetch(&page->refused, 1, __ATOMIC_RELAXED);
    errno = ENOSPC;
    return -1;
}

static struct undo *note(enum kind kind, const char *path) {
    struct undo *made = calloc(1, sizeof *made);
    if (made == NULL) abort();
    made->kind = kind;
    made->path = strdup(path);
    made->older = newest;
    newest = made;
    return made;
}

static void drop(struct undo **at) {
    struct undo *gone = *at;
    *at = gone->older;
    if (gone->saved) { syscall(SYS_unlinkat, AT_FDCWD, gone->saved, 0); free(gone->saved); }
    free(gone->old); free(gone->path); free(gone->other); free(gone);
}

/* A second name for what is about to be replaced or removed, to bring it back with. */
static char *save(const char *path) {
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%.3000s/.chaos", root);
    syscall(SYS_mkdirat, AT_FDCWD, name, 0700);
    snprintf(name, sizeof name, "%.3000s/.chaos/%d-%ld", root, own, saves++);
    if (syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, name, 0) != 0) return NULL;
    return strdup(name);
}

/* Remember what lies at [at, at + length) before it is written over. at < 0: where the file stands. */
static int before_write(int fd, int64_t at, size_t length, int64_t shrink) {
    char path[PATH_MAX];
    struct stat found;
    if (!path_of(fd, path) || fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return 0;
    if (shrink >= 0) { at = shrink; length = found.st_size > shrink ? found.st_size - shrink : 0; }
    else if (at < 0) {
        int flags = fcntl(fd, F_GETFL);
        at = flags & O_APPEND ? found.st_size : lseek(fd, 0, SEEK_CUR);
    }
    if (page->full && shrink < 0 && at + (int64_t)length > found.st_size) return refuse();
    size_t there = at >= found.st_size ? 0 : (size_t)(found.st_size - at);
    if (there > length) there = length;
    char *old = there ? malloc(there) : NULL;
    if (there && syscall(SYS_pread64, fd, old, there, at) != (ssize_t)there) {
        char link[64];  /* opened for writing alone */
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        int other = (int)syscall(SYS_openat, AT_FDCWD, link, O_RDONLY | O_CLOEXEC);
        if (other >= 0) { syscall(SYS_pread64, other, old, there, at); syscall(SYS_close, other); }
    }
    pthread_mutex_lock(&lock);
    struct undo *made = note(WRITE, path);
    made->dev = found.st_dev; made->ino = found.st_ino;
    made->at = at; made->size = found.st_size; made->length = there; made->old = old;
    pthread_mutex_unlock(&lock);
    return 0;
}

static void synced(int fd) {
    struct stat found;
    if (fstat(fd, &found) != 0) return;
    int folder = S_ISDIR(found.st_mode);
    pthread_mutex_lock(&lock);
    for (struct undo **at = &newest; *at != NULL;) {
        struct undo *it = *at;
        int gone = folder ? it->kind != WRITE && it->folder == found.st_ino
                          : it->kind == WRITE && it->ino == found.st_ino && it->dev == found.st_dev;
        if (gone && it->kind == RENAME)
            for (struct undo *w = it->older; w != NULL; w = w->older)
                if (strcmp(w->path, it->path) == 0) { free(w->path); w->path = strdup(it->other); }
        if (gone) drop(at); else at = &it->older;
    }
    pthread_mutex_unlock(&lock);
}

#define GATE(fd, at, length, shrink) \
    if (watched()) { step(); if (before_write(fd, at, length, shrink) != 0) return -1; }

ssize_t write(int fd, const void *data, size_t n) { GATE(fd, -1, n, -1) return REAL(write)(fd, data, n); }
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) { GATE(fd, at, n, -1) return REAL(pwrite)(fd, data, n, at); }
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) { GATE(fd, at, n, -1) return REAL(pwrite64)(fd, data, n, at); }
static size_t total(const struct iovec *parts, int n) {
    size_t sum = 0;
    for (int i = 0; i < n; i++) sum += parts[i].iov_len;
    return sum;
}
ssize_t writev(int fd, const struct iovec *v, int n) { GATE(fd, -1, total(v, n), -1) return REAL(writev)(fd, v, n); }
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at) { GATE(fd, at, total(v, n), -1) return REAL(pwritev)(fd, v, n, at); }
ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t at) { GATE(fd, at, total(v, n), -1) return REAL(pwritev64)(fd, v, n, at); }
ssize_t pwritev2(int fd, const struct iovec *v, int n, off_t at, int f) { GATE(fd, at, total(v, n), -1) return REAL(pwritev2)(fd, v, n, at, f); }
ssize_t pwritev64v2(int fd, const struct iovec *v, int n, off64_t at, int f) { GATE(fd, at, total(v, n), -1) return REAL(pwritev64v2)(fd, v, n, at, f); }
int ftruncate(int fd, off_t size) { GATE(fd, 0, 0, size) return REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { GATE(fd, 0, 0, size) return REAL(ftruncate64)(fd, size); }

#define FALLOCATE(name, type) \
    int name(int fd, type at, type n) { \
        if (watched()) { step(); if (before_write(fd, at, (size_t)n, -1) != 0) return ENOSPC; } \
        return REAL(name)(fd, at, n); }
FALLOCATE(posix_fallocate, off_t)
FALLOCATE(posix_fallocate64, off64_t)

#define SYNC(name) \
    int name(int fd) { \
        if (watched()) step(); \
        int done = REAL(name)(fd); \
        if (done == 0 && watched()) synced(fd); \
        return done; }
SYNC(fsync)
SYNC(fdatasync)

ssize_t send(int fd, const void *data, size_t n, int flags) { if (watched()) step(); return REAL(send)(fd, data, n, flags); }
ssize_t sendmsg(int fd, const struct msghdr *m, int flags) { if (watched()) step(); return REAL(sendmsg)(fd, m, flags); }

static int opened(int folder, const char *name, int flags, mode_t mode) {
    char path[PATH_MAX];
    int fresh = 0;
    if (watched() && flags & (O_CREAT | O_TRUNC) && (flags & O_TMPFILE) != O_TMPFILE && path_at(folder, name, path)) {
        struct stat found;
        step();
        fresh = flags & O_CREAT && stat(path, &found) != 0;
        if (fresh && page->full) return refuse();
        if (!fresh && flags & O_TRUNC) {
            int fd = (int)syscall(SYS_openat, folder, name, (flags & ~(O_CREAT | O_TRUNC | O_EXCL)) | O_CLOEXEC);
            if (fd >= 0) { before_write(fd, 0, 0, 0); syscall(SYS_close, fd); }
        }
    }
    int fd = (int)syscall(SYS_openat, folder, name, flags, mode);
    if (fd >= 0 && fresh) {
        int kept = errno;
        pthread_mutex_lock(&lock);
        note(CREATE, path)->folder = folder_of(path);
        pthread_mutex_unlock(&lock);
        errno = kept;
    }
    return fd;
}
#define MODE mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }
int open(const char *name, int flags, ...) { MODE return opened(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE return opened(AT_FDCWD, name, flags | O_LARGEFILE, mode); }
int openat(int folder, const char *name, int flags, ...) { MODE return opened(folder, name, flags, mode); }
int openat64(int folder, const char *name, int flags, ...) { MODE return opened(folder, name, flags | O_LARGEFILE, mode); }

int renameat(int from, const char *a, int to, const char *b) {
    char old[PATH_MAX], new[PATH_MAX];
    if (!watched() || !path_at(from, a, old) || !path_at(to, b, new)) return (int)syscall(SYS_renameat, from, a, to, b);
    step();
    pthread_mutex_lock(&lock);
    char *saved = save(new);
    int done = (int)syscall(SYS_renameat, from, a, to, b);
    if (done == 0) {
        struct undo *made = note(RENAME, old);
        made->other = strdup(new); made->saved = saved; made->folder = folder_of(new);
    }
    pthread_mutex_unlock(&lock);
    return done;
}
int rename(const char *a, const char *b) { return renameat(AT_FDCWD, a, AT_FDCWD, b); }

int unlinkat(int folder, const char *name, int flags) {
    char path[PATH_MAX];
    if (!watched() || !path_at(folder, name, path)) return (int)syscall(SYS_unlinkat, folder, name, flags);
    step();
    pthread_mutex_lock(&lock);
    char *saved = flags & AT_REMOVEDIR ? NULL : save(path);
    ino_t above = folder_of(path);
    int done = (int)syscall(SYS_unlinkat, folder, name, flags), kept = errno;
    if (done == 0) {
        struct undo *made = note(flags & AT_REMOVEDIR ? RMDIR : REMOVE, path);
        made->saved = saved; made->folder = above;
    } else if (saved) { syscall(SYS_unlinkat, AT_FDCWD, saved, 0); free(saved); }
    pthread_mutex_unlock(&lock);
    errno = kept;
    return done;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

int mkdirat(int folder, const char *name, mode_t mode) {
    char path[PATH_MAX];
    int ours = watched() && path_at(folder, name, path);
    if (ours) { step(); if (page->full) return refuse(); }
    int done = (int)syscall(SYS_mkdirat, folder, name, mode);
    if (ours && done == 0) {
        pthread_mutex_lock(&lock);
        note(MKDIR, path)->folder = folder_of(path);
        pthread_mutex_unlock(&lock);
    }
    return done;
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

#define STATVFS(name, arg, kind) \
    int name(arg it, struct kind *found) { \
        int done = REAL(name)(it, found); \
        if (done == 0 && page != NULL && page->full) found->f_bavail = found->f_bfree = 0; \
        return done; }
STATVFS(statvfs, const char *, statvfs)
STATVFS(statvfs64, const char *, statvfs64)

int clock_gettime(clockid_t clock, struct timespec *found) {
    int done = (int)syscall(SYS_clock_gettime, clock, found);
    if (done == 0 && page != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = found->tv_sec * 1000000000LL + found->tv_nsec + page->offset_ns;
        found->tv_sec = ns / 1000000000LL; found->tv_nsec = ns % 1000000000LL;
    }
    return done;
}
int gettimeofday(struct timeval *found, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    found->tv_sec = now.tv_sec; found->tv_usec = now.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *found) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (found != NULL) *found = now.tv_sec;
    return now.tv_sec;
}
