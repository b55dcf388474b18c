// Makes each fsync and fdatasync of a process take SLOW_SYNC_US microseconds longer, and counts them in the first eight
// bytes of the file SLOW_SYNC_CALLS. Loaded with LD_PRELOAD.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic unsigned long *calls;
static unsigned int delay_us;

__attribute__((constructor)) static void begin(void) {
  const char *delay = getenv("SLOW_SYNC_US"), *path = getenv("SLOW_SYNC_CALLS");
  if (!delay || !path) return;
  delay_us = (unsigned int)atoi(delay);
  int file = open(path, O_RDWR);
  if (file < 0) abort();
  calls = mmap(NULL, sizeof *calls, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (calls == MAP_FAILED) abort();
  close(file);
}

static int slowly(const char *name, int file) {
  int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  int result = sync(file);
  if (calls) {
    atomic_fetch_add(calls, 1);
    usleep(delay_us);
  }
  return result;
}

int fsync(int file) { return slowly("fsync", file); }
int fdatasync(int file) { return slowly("fdatasync", file); }
