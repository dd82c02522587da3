/* The limit of the feed benchmark: writes the same bytes with raw sockets.
 *
 *   limit PORT READERS EVENTS RATE FRAME_BYTES
 *
 * Accepts READERS connections and waits for a line on stdin; then writes EVENTS
 * frames to each: at RATE a second, or as fast as the sockets take them when RATE
 * is 0. Prints the time of the start, and waits for stdin to close.
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

#define PIECE (128 * 1024)

static long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void frame(char *to, int size, long id) {
  int n = sprintf(to, "id: 00000000-%ld\ndata: {\"id\":%ld,\"message\":\"~%019ld ", id,
                  id, now_ns());
  memset(to + n, 'x', size - n);
  memcpy(to + size - 4, "\"}\n\n", 4);
}

static int listen_on(int port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
  int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 4096))
    perror("listen"), exit(1);
  return fd;
}

static void flood(int *fds, int readers, const char *bytes, long size) {
  struct epoll_event ready[1024];
  long *sent = calloc(readers, sizeof *sent);
  int poll = epoll_create1(0), left = readers;
  for (int i = 0; i < readers; i++) {
    struct epoll_event want = {.events = EPOLLOUT, .data.u32 = i};
    epoll_ctl(poll, EPOLL_CTL_ADD, fds[i], &want);
  }
  while (left) {
    int n = epoll_wait(poll, ready, 1024, -1);
    for (int e = 0; e < n; e++) {
      int i = ready[e].data.u32;
      long piece = size - sent[i] < PIECE ? size - sent[i] : PIECE;
      long wrote = write(fds[i], bytes + sent[i], piece);
      if (wrote > 0) sent[i] += wrote;
      if (wrote < 0 && errno != EAGAIN) perror("write"), exit(1);
      if (sent[i] == size) epoll_ctl(poll, EPOLL_CTL_DEL, fds[i], NULL), left--;
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 6) return fprintf(stderr, "see the comment at the top of limit.c\n"), 2;
  int port = atoi(argv[1]), readers = atoi(argv[2]), size = atoi(argv[5]);
  long events = atol(argv[3]), rate = atol(argv[4]);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  static char request[4096];
  const char *head =
      "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nretry: 1000\n\n";
  int *fds = calloc(readers, sizeof *fds), from = listen_on(port), one = 1;
  puts("listening"), fflush(stdout);
  for (int i = 0; i < readers; i++) {
    fds[i] = accept(from, NULL, NULL);
    setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (read(fds[i], request, sizeof request) < 0) perror("read"), exit(1);
    if (write(fds[i], head, strlen(head)) < 0) perror("write"), exit(1);
    fcntl(fds[i], F_SETFL, O_NONBLOCK);
  }
  char *bytes = malloc(rate ? size + 64 : events * size + 64);
  if (!rate)
    for (long id = 0; id < events; id++) frame(bytes + id * size, size, id + 1);
  if (!fgets(request, sizeof request, stdin)) return 1;
  long start = now_ns();
  printf("{\"start_ns\": %ld}\n", start), fflush(stdout);
  if (!rate) flood(fds, readers, bytes, events * size);
  for (long id = 0; rate && id < events; id++) {
    long wait = start + id * 1000000000L / rate - now_ns();
    if (wait > 0) usleep(wait / 1000);
    frame(bytes, size, id + 1);
    for (int i = 0; i < readers; i++)
      if (write(fds[i], bytes, size) != size) perror("write"), exit(1);
  }
  while (fgets(request, sizeof request, stdin)) {}
  return 0;
}
