/* The readers of the load benchmark: they must all get the same bytes.
 *
 *   load_readers PORT PATH READERS STALLED
 *
 * Prints "ready" when every reader has its first bytes, and one line of JSON when its
 * stdin ends. For each response body, without HTTP's chunks, it computes the length, the
 * number of stamps (after '~') and the CRC-32C. The first STALLED readers read their
 * first bytes, then nothing until stdin ends. They are counted separately.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER (256 * 1024)
#define HEAD_END "\r\n\r\n"

enum part { HEAD, SIZE, DATA, AFTER };

struct reader {
  int fd, begun, ended;
  enum part part;
  int matched;        /* Of HEAD_END, or of the two bytes after a chunk. */
  long left;          /* Of the chunk. */
  long bytes, events;
  uint32_t crc;
};

static char buffer[BUFFER];
static uint32_t table[8][256];

static void prepare(void) {
  for (int n = 0; n < 256; n++) {
    uint32_t crc = n;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    table[0][n] = crc;
  }
  for (int n = 0; n < 256; n++)
    for (int i = 1; i < 8; i++)
      table[i][n] = table[i - 1][n] >> 8 ^ table[0][table[i - 1][n] & 255];
}

/* Eight bytes at a time: this must be cheaper than the host that it listens to. */
static uint32_t crc_of(uint32_t crc, const unsigned char *data, long size) {
#ifdef __SSE4_2__
  uint64_t eight;
  for (; size >= 8; size -= 8, data += 8)
    memcpy(&eight, data, 8), crc = __builtin_ia32_crc32di(crc, eight);
#else
  for (; size >= 8; size -= 8, data += 8) {
    uint64_t word;
    memcpy(&word, data, 8);
    word ^= crc;
    crc = 0;
    for (int i = 0; i < 8; i++) crc ^= table[7 - i][word >> 8 * i & 255];
  }
#endif
  while (size--) crc = crc >> 8 ^ table[0][(crc ^ *data++) & 255];
  return crc;
}

static void body(struct reader *r, const char *data, long size) {
  r->crc = crc_of(r->crc, (const unsigned char *)data, size);
  r->bytes += size;
  for (long i = 0; i < size; i++) r->events += data[i] == '~';
}

static void take(struct reader *r, const char *data, long size) {
  const char *end = data + size;
  while (data < end) {
    if (r->part == DATA) {
      long some = end - data < r->left ? end - data : r->left;
      body(r, data, some);
      data += some;
      if (!(r->left -= some)) r->part = AFTER, r->matched = 0;
      continue;
    }
    char c = *data++;
    if (r->part == HEAD) {
      r->matched = c == HEAD_END[r->matched] ? r->matched + 1 : c == '\r';
      if (r->matched == 4) r->part = SIZE;
    } else if (r->part == AFTER) {
      if (++r->matched == 2) r->part = SIZE;
    } else if (c == '\n') {
      r->part = r->left ? DATA : HEAD; /* A chunk of nothing: the end. */
      r->ended |= !r->left;
    } else if (c != '\r') {
      r->left = r->left * 16 + (c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
  }
}

static int dial(int port, const char *path) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  char request[256];
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  if (connect(fd, (struct sockaddr *)&to, sizeof to)) perror("connect"), exit(1);
  int n = snprintf(request, sizeof request,
                   "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", path, port);
  if (write(fd, request, n) != n) perror("write"), exit(1);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

/* Returns whether there may be more. */
static int read_some(struct reader *r) {
  long size = read(r->fd, buffer, BUFFER);
  if (size > 0) take(r, buffer, size);
  else if (size == 0 || errno != EAGAIN) r->ended = 1;
  return size > 0;
}

int main(int argc, char **argv) {
  if (argc != 5) return fprintf(stderr, "see the comment at the top of load_readers.c\n"), 2;
  int port = atoi(argv[1]), readers = atoi(argv[3]), stalled = atoi(argv[4]);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  prepare();
  struct reader *all = calloc(readers, sizeof *all);
  struct epoll_event ready[1024];
  int poll = epoll_create1(0), begun = 0, told = 0;
  struct epoll_event of_stdin = {.events = EPOLLIN, .data.u32 = readers};
  epoll_ctl(poll, EPOLL_CTL_ADD, 0, &of_stdin);
  for (int i = 0; i < readers; i++) {
    all[i].fd = dial(port, argv[2]);
    struct epoll_event want = {.events = EPOLLIN, .data.u32 = i};
    epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &want);
  }
  while (!told) {
    int n = epoll_wait(poll, ready, 1024, -1);
    for (int i = 0; i < n; i++) {
      if (ready[i].data.u32 == (unsigned)readers) { told = 1; continue; }
      struct reader *r = &all[ready[i].data.u32];
      read_some(r);
      if (r->ended || (!r->begun && r - all < stalled))
        epoll_ctl(poll, EPOLL_CTL_DEL, r->fd, NULL);
      if (!r->begun && (r->begun = 1) && ++begun == readers)
        puts("ready"), fflush(stdout);
    }
  }
  long least = -1, most = 0, same = 0, cut = 0, lost = 0;
  for (int i = 0; i < stalled; i++) {
    while (read_some(&all[i])) {}
    cut += all[i].ended;
  }
  for (int i = stalled; i < readers; i++) {
    struct reader *r = &all[i], *first = &all[stalled];
    if (least < 0 || r->events < least) least = r->events;
    if (r->events > most) most = r->events;
    same += r->bytes == first->bytes && r->crc == first->crc;
    lost += r->ended;
  }
  printf("{\"least\": %ld, \"most\": %ld, \"bytes\": %ld, \"same\": %ld, "
         "\"lost\": %ld, \"cut\": %ld}\n",
         least, most, readers > stalled ? all[stalled].bytes : 0, same, lost, cut);
  return 0;
}
