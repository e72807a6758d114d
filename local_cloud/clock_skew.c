// Moves the wall clock of one process by CLOCK_SKEW_S seconds. Preloaded; built by clock_skew.py.
// The monotonic clock stays: a wrong clock does not change how long something takes.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long skew(void) {
  static long seconds;
  static int known;
  if (!known) {
    const char *text = getenv("CLOCK_SKEW_S");
    seconds = text ? strtol(text, 0, 10) : 0;
    known = 1;
  }
  return seconds;
}

int clock_gettime(clockid_t id, struct timespec *now) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int status = real(id, now);
  if (!status && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += skew();
  return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  static int (*real)(struct timeval *, void *);
  if (!real) real = dlsym(RTLD_NEXT, "gettimeofday");
  int status = real(now, zone);
  if (!status && now) now->tv_sec += skew();
  return status;
}

time_t time(time_t *now) {
  struct timespec read;
  clock_gettime(CLOCK_REALTIME, &read);
  if (now) *now = read.tv_sec;
  return read.tv_sec;
}

// Its deadline is a reading of the moved clock, and the kernel compares it with the real one.
int sem_timedwait(sem_t *semaphore, const struct timespec *deadline) {
  static int (*real)(sem_t *, const struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "sem_timedwait");
  struct timespec moved = *deadline;
  moved.tv_sec -= skew();
  return real(semaphore, &moved);
}
