/* Preloaded into a process, shifts its wall clock by CLOCK_SHIFT_SECONDS, and nothing else of it.
 *
 * What is read of CLOCK_REALTIME is shifted. Deadlines on that clock are shifted back on their way to libc, which
 * hands them to the kernel, and that knows the true time. libfaketime leaves cnd_timedwait as it is, with which
 * librdkafka waits: each of its waits would end so much too late, or at once. CLOCK_MONOTONIC, by which Rust's
 * standard library and tokio wait, and waits for a length of time are not touched. Nor is libc disturbed by
 * itself: its own calls between these functions do not come by here. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>

static time_t shift;

__attribute__((constructor)) static void read_shift(void) {
  const char *text = getenv("CLOCK_SHIFT_SECONDS");
  if (!text)
    return;
  int behind = *text == '-';
  /* By hand: the strtol of newer headers is a symbol that an image's older libc does not have. */
  for (text += behind; *text >= '0' && *text <= '9'; text++)
    shift = shift * 10 + (*text - '0');
  if (behind)
    shift = -shift;
}

/* Declares `next`, libc's function of this name. Threads that look for it at the same time find the same. */
#define NEXT(function) \
  static __typeof__(function) *next; \
  if (!next) \
    next = (__typeof__(next))dlsym(RTLD_NEXT, #function)

int clock_gettime(clockid_t clock, struct timespec *now) {
  NEXT(clock_gettime);
  int result = next(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    now->tv_sec += shift;
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  (void)zone; /* Nobody has used it for decades. */
  struct timespec read;
  int result = clock_gettime(CLOCK_REALTIME, &read);
  if (result == 0) {
    now->tv_sec = read.tv_sec;
    now->tv_usec = read.tv_nsec / 1000;
  }
  return result;
}

time_t time(time_t *now) {
  struct timespec read;
  clock_gettime(CLOCK_REALTIME, &read);
  if (now)
    *now = read.tv_sec;
  return read.tv_sec;
}

int timespec_get(struct timespec *now, int base) {
  return base == TIME_UTC && clock_gettime(CLOCK_REALTIME, now) == 0 ? base : 0;
}

/* A deadline as the kernel must see it. A condition variable can have been made for CLOCK_MONOTONIC
 * (pthread_condattr_setclock), and there is no asking it; but that clock counts from the machine's start, and no
 * machine has been up for the 31 years that the wall clock was past in 2001. So the deadline itself tells. */
static struct timespec of_the_kernel(const struct timespec *deadline) {
  struct timespec shifted_back = *deadline;
  if (shifted_back.tv_sec > 1000000000)
    shifted_back.tv_sec -= shift;
  return shifted_back;
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict deadline) {
  NEXT(cnd_timedwait);
  struct timespec at = of_the_kernel(deadline);
  return next(condition, mutex, &at);
}

int mtx_timedlock(mtx_t *restrict mutex, const struct timespec *restrict deadline) {
  NEXT(mtx_timedlock);
  struct timespec at = of_the_kernel(deadline);
  return next(mutex, &at);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline) {
  static __typeof__(pthread_cond_timedwait) *next;
  /* On x86-64 there are two, and dlsym gives the older one, for condition variables of another form, before glibc
   * 2.36. Elsewhere there is one. */
  if (!next)
    next = (__typeof__(next))dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  if (!next)
    next = (__typeof__(next))dlsym(RTLD_NEXT, "pthread_cond_timedwait");
  struct timespec at = of_the_kernel(deadline);
  return next(condition, mutex, &at);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline) {
  NEXT(sem_timedwait);
  struct timespec at = of_the_kernel(deadline);
  return next(semaphore, &at);
}
