/* For tests, by LD_PRELOAD: gives libcamera and picamera2 their dma-buf devices on a kernel that has neither dma-heap nor
 * udmabuf (containers, CI). What comes out are plain memfds, which is all that a camera without hardware needs.
 * Build: cc -O1 -shared -fPIC -o fakedma.so fakedma.c -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int is_allocator(const char *path) {
    return path && (!strcmp(path, "/dev/udmabuf") || !strncmp(path, "/dev/dma_heap/", 14));
}

/* The C library's open functions, each wrapped the same way; a mode that was not passed is read and not used. */
#define WRAP_OPEN(name)                                                             \
    int name(const char *path, int flags, ...) {                                    \
        static int (*real)(const char *, int, ...);                                 \
        va_list rest;                                                               \
        va_start(rest, flags);                                                      \
        mode_t mode = va_arg(rest, mode_t);                                         \
        va_end(rest);                                                               \
        if (is_allocator(path)) return memfd_create("fake-allocator", MFD_CLOEXEC); \
        if (!real) real = dlsym(RTLD_NEXT, #name);                                  \
        return real(path, flags, mode);                                             \
    }
#define WRAP_OPENAT(name)                                                           \
    int name(int folder, const char *path, int flags, ...) {                        \
        static int (*real)(int, const char *, int, ...);                            \
        va_list rest;                                                               \
        va_start(rest, flags);                                                      \
        mode_t mode = va_arg(rest, mode_t);                                         \
        va_end(rest);                                                               \
        if (is_allocator(path)) return memfd_create("fake-allocator", MFD_CLOEXEC); \
        if (!real) real = dlsym(RTLD_NEXT, #name);                                  \
        return real(folder, path, flags, mode);                                     \
    }
WRAP_OPEN(open)
WRAP_OPEN(open64)
WRAP_OPENAT(openat)
WRAP_OPENAT(openat64)

static int allocate(struct dma_heap_allocation_data *wanted) {
    long page = sysconf(_SC_PAGESIZE);
    int fd = memfd_create("fake-dma-buf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (wanted->len + page - 1) / page * page)) return -1;
    wanted->fd = fd;
    return 0;
}

int ioctl(int fd, unsigned long request, ...) {
    static int (*real)(int, unsigned long, ...);
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (!real) real = dlsym(RTLD_NEXT, "ioctl");
    request &= 0xffffffffUL; /* Python passes some requests sign-extended */
    if (request == UDMABUF_CREATE) return fcntl(((struct udmabuf_create *)argument)->memfd, F_DUPFD_CLOEXEC, 0);
    if (request == DMA_HEAP_IOCTL_ALLOC) return allocate(argument);
    int before = errno, result = real(fd, request, argument);
    /* A memfd needs no cache maintenance and has no name: both are no error here. */
    if (result < 0 && errno == ENOTTY && (request == DMA_BUF_IOCTL_SYNC || _IOC_TYPE(request) == DMA_BUF_BASE)) {
        errno = before;
        return 0;
    }
    return result;
}
