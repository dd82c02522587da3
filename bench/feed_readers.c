/* The load of the feed benchmark: many SSE readers on one epoll loop.
 *
 * Counts events, and measures their delay in the mode "latency". Prints one line of
 * JSON. Each event has one '~' and then 19 digits: its creation time in ns of
 * CLOCK_MONOTONIC. Only counting a byte keeps this cheaper than the servers.
 *
 *   feed_readers PORT PATH READERS EVENTS count|latency SLOW TIMEOUT_S
 *
 * Prints "ready" when every reader has its first bytes. The first SLOW readers then
 * stop reading, and are not counted.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER (256 * 1024)
#define STAMP 19
#define MAX_SAMPLES (8 * 1000 * 1000)

struct reader {
  int fd, begun, cut; /* cut: digits of a stamp still to come in the next read */
  long events;
  char digits[STAMP + 1];
};

static char buffer[BUFFER];
static float *samples;
static long sampled;

static long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void sample(struct reader *r, long now) {
  if (sampled < MAX_SAMPLES)
    samples[sampled++] = (float)(now - strtol(r->digits, NULL, 10)) / 1e6f;
}

static void count(struct reader *r, const char *data, long size) {
  long found = 0;
  for (long i = 0; i < size; i++) found += data[i] == '~';
  r->events += found;
}

static void measure(struct reader *r, const char *data, long size, long now) {
  const char *end = data + size;
  while (data < end) {
    if (!r->cut) {
      data = memchr(data, '~', end - data);
      if (!data) return;
      data++, r->events++, r->cut = STAMP;
    }
    long take = end - data < r->cut ? end - data : r->cut;
    memcpy(r->digits + STAMP - r->cut, data, take);
    data += take, r->cut -= take;
    if (!r->cut) sample(r, now);
  }
}

static int dial(int port, const char *path) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  char request[256];
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  if (connect(fd, (struct sockaddr *)&to, sizeof to)) perror("connect"), exit(1);
  int n = snprintf(request, sizeof request,
                   "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                   "Accept: text/event-stream\r\n\r\n", path, port);
  if (write(fd, request, n) != n) perror("write"), exit(1);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static float at(double share) {
  return sampled ? samples[(long)(share * (sampled - 1))] : 0;
}

int main(int argc, char **argv) {
  if (argc != 8) return fprintf(stderr, "see the comment at the top of feed_readers.c\n"), 2;
  int port = atoi(argv[1]), readers = atoi(argv[3]), slow = atoi(argv[6]);
  long expected = atol(argv[4]);
  int latency = !strcmp(argv[5], "latency");
  long deadline = now_ns() + atol(argv[7]) * 1000000000L;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  samples = latency ? malloc(MAX_SAMPLES * sizeof *samples) : NULL;
  struct reader *all = calloc(readers, sizeof *all);
  struct epoll_event ready[1024];
  int poll = epoll_create1(0), begun = 0, done = 0;
  long begin = now_ns();
  for (int i = 0; i < readers; i++) {
    all[i].fd = dial(port, argv[2]);
    struct epoll_event want = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &want);
  }
  long last = 0;
  while (done < readers - slow && now_ns() < deadline) {
    int n = epoll_wait(poll, ready, 1024, 100);
    for (int i = 0; i < n; i++) {
      struct reader *r = &all[ready[i].data.u32];
      long size = read(r->fd, buffer, BUFFER);
      if (size <= 0) {
        if (size < 0 && errno == EAGAIN) continue;
        fprintf(stderr, "reader %d lost: %s\n", (int)(r - all), strerror(errno));
        epoll_ctl(poll, EPOLL_CTL_DEL, r->fd, NULL);
        done++;
        continue;
      }
      last = now_ns();
      long before = r->events;
      if (latency) measure(r, buffer, size, last);
      else count(r, buffer, size);
      if (before < expected && r->events >= expected) done++;
      if (!r->begun) {
        r->begun = 1;
        if (r - all < slow) epoll_ctl(poll, EPOLL_CTL_DEL, r->fd, NULL);
        if (++begun == readers) puts("ready"), fflush(stdout);
      }
    }
  }
  long least = expected, most = 0, events = 0;
  for (int i = slow; i < readers; i++) {
    if (all[i].events < least) least = all[i].events;
    if (all[i].events > most) most = all[i].events;
    events += all[i].events;
  }
  if (samples) qsort(samples, sampled, sizeof *samples, by_value);
  printf("{\"begin_ns\": %ld, \"end_ns\": %ld, \"events\": %ld, \"least\": %ld, \"most\": %ld, "
         "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
         begin, last, events, least, most, at(0.5), at(0.99), at(1));
  return 0;
}
