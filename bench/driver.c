/* Kong's side of the plugin-server protocols, as a load: an epoll loop that keeps N events going at once.
 *
 * ProtoBuf:1 as Kong 3.9 speaks it: a frame goes out in two sends (length, payload), each PDK call is answered by itself
 * and in turn, the connection is kept after an event and closed after kong.response.exit. MsgPack:1: one send a message,
 * and the connection is kept whatever happens, for Kong puts it back into its pool before it runs a PDK call.
 *
 * Prints "begin" when the warm-up is over, and one line of JSON when the time is. Nothing here is for production: the peer is
 * one of the servers under test, and a broken message ends the program.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BUFFER (256 * 1024)
#define MAX_SLOTS 4096
#define SUB 32 /* buckets an octave of the latency histogram */
#define BUCKETS (40 * SUB)

typedef enum { METHOD, ARGUMENTS, RETURN } expected;

typedef struct {
  int fd;
  expected state;
  char method[128];
  unsigned char in[BUFFER];
  size_t have;
  uint64_t began;
  uint64_t sequence;
  uint64_t calls;
  int authenticated;
  const unsigned char *key;
} slot;

static struct sockaddr_un address;
static int msgpack, epoll_fd, key_length;
static uint64_t instance, next_sequence, next_key, key_count, event_limit, started;
static unsigned char *keys, *template_, *reply;
static size_t template_length, key_at;
static slot *slots;
static int slot_count, busy, stopping;

static uint64_t finished, allowed, unmarked, lost, calls, connects, exits[600], histogram[BUCKETS];

static void die(const char *why) {
  fprintf(stderr, "driver: %s%s%s\n", why, errno ? ": " : "", errno ? strerror(errno) : "");
  exit(1);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static double cpu_seconds(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static unsigned char *read_file(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (!file) die(path);
  fseek(file, 0, SEEK_END);
  *length = (size_t)ftell(file);
  rewind(file);
  unsigned char *data = malloc(*length + 1);
  if (!data || fread(data, 1, *length, file) != *length) die(path);
  fclose(file);
  return data;
}

static void note_latency(uint64_t ns) {
  int octave = 63 - __builtin_clzll(ns | 1);
  size_t bucket = octave < 5 ? ns : (size_t)(octave - 4) * SUB + ((ns >> (octave - 5)) & (SUB - 1));
  histogram[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
}

static double quantile_us(double q) {
  uint64_t total = 0, seen = 0;
  for (size_t i = 0; i < BUCKETS; i++) total += histogram[i];
  for (size_t i = 0; i < BUCKETS; i++) {
    seen += histogram[i];
    if (total && (double)seen >= q * (double)total)
      return i < SUB ? (double)i / 1e3 : (double)((uint64_t)(SUB + i % SUB) << (i / SUB - 1)) / 1e3;
  }
  return 0;
}

/* Sending */

static void send_all(slot *s, const void *data, size_t length) {
  const char *at = data;
  while (length) {
    ssize_t sent = send(s->fd, at, length, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return; /* the peer has closed it: seen when it is read */
    }
    at += sent;
    length -= (size_t)sent;
  }
}

static void send_frame(slot *s, const void *payload, uint32_t length) {
  unsigned char head[4] = {length & 255, length >> 8 & 255, length >> 16 & 255, length >> 24};
  send_all(s, head, 4);
  if (length) send_all(s, payload, length);
}

static size_t put_varint(unsigned char *out, uint64_t number) {
  size_t n = 0;
  for (; number > 127; number >>= 7) out[n++] = (number & 127) | 128;
  out[n++] = (unsigned char)number;
  return n;
}

static size_t put_text(unsigned char *out, const char *text) { /* a MessagePack string of at most 31 bytes */
  size_t length = strlen(text);
  out[0] = 0xa0 | (unsigned char)length;
  memcpy(out + 1, text, length);
  return length + 1;
}

static size_t put_uint(unsigned char *out, uint64_t number) {
  if (number < 128) return out[0] = (unsigned char)number, 1;
  out[0] = 0xce;
  for (int i = 0; i < 4; i++) out[1 + i] = number >> (24 - 8 * i) & 255;
  return 5;
}

static size_t put_call(unsigned char *out, slot *s, const char *method) {
  size_t n = 0;
  s->sequence = next_sequence++;
  out[n++] = 0x94;
  out[n++] = 0;
  n += put_uint(out + n, s->sequence);
  n += put_text(out + n, method);
  out[n++] = 0x91;
  return n;
}

static void open_connection(slot *s) {
  s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (s->fd < 0 || connect(s->fd, (struct sockaddr *)&address, sizeof address) < 0) die("cannot connect");
  struct epoll_event watch = {.events = EPOLLIN, .data.ptr = s};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, s->fd, &watch) < 0) die("epoll_ctl");
  s->have = 0;
  connects++;
}

static void close_connection(slot *s) {
  close(s->fd); /* also takes it out of the epoll set */
  s->fd = -1;
  s->have = 0;
}

static void begin_event(slot *s) {
  if (stopping || (event_limit && started >= event_limit)) {
    if (s->fd >= 0) close_connection(s);
    return;
  }
  busy++;
  started++;
  s->key = keys + (size_t)key_length * (next_key++ % key_count);
  s->authenticated = 0;
  s->calls = 0;
  s->state = METHOD;
  s->began = now_ns();
  if (s->fd < 0) open_connection(s);
  unsigned char out[256];
  size_t n = 0;
  if (msgpack) {
    n = put_call(out, s, "plugin.HandleEvent");
    out[n++] = 0x82;
    n += put_text(out + n, "InstanceId");
    n += put_uint(out + n, instance);
    n += put_text(out + n, "EventName");
    n += put_text(out + n, "access");
    send_all(s, out, n);
    return;
  }
  unsigned char call[32];
  size_t m = 0;
  call[m++] = 0x08;
  m += put_varint(call + m, instance);
  memcpy(call + m, "\x12\x06" "access", 8);
  m += 8;
  s->sequence = next_sequence++;
  out[n++] = 0xa2; /* field 36, cmd_handle_event */
  out[n++] = 0x02;
  n += put_varint(out + n, m);
  memcpy(out + n, call, m);
  n += m;
  out[n++] = 0x08;
  n += put_varint(out + n, s->sequence);
  send_frame(s, out, (uint32_t)n);
}

static void end_event(slot *s, uint64_t status) { /* 0: let through */
  busy--;
  finished++;
  calls += s->calls;
  note_latency(now_ns() - s->began);
  if (status) {
    exits[status < 600 ? status : 0]++;
    if (!msgpack) close_connection(s);
  } else if (s->authenticated) {
    allowed++;
  } else {
    unmarked++;
  }
  begin_event(s);
}

static const char REQUEST_ID[] = "5f3c1e9a7b2d4c6e8f0a1b2c3d4e5f60";

static const unsigned char *headers_for(slot *s) {
  memcpy(template_ + key_at, s->key, (size_t)key_length);
  return template_;
}

/* ProtoBuf:1 */

static void answer_frames(slot *s) {
  size_t at = 0;
  while (s->fd >= 0 && s->have - at >= 4) {
    unsigned char *frame = s->in + at + 4;
    size_t length = (size_t)s->in[at] | (size_t)s->in[at + 1] << 8 | (size_t)s->in[at + 2] << 16 |
                    (size_t)s->in[at + 3] << 24;
    if (length > BUFFER - 4) die("a frame that is too long");
    if (s->have - at - 4 < length) break;
    at += 4 + length;
    switch (s->state) {
      case METHOD:
        if (length == 0) {
          s->state = RETURN;
          break;
        }
        if (length >= sizeof s->method) die("a method name that is too long");
        memcpy(s->method, frame, length);
        s->method[length] = 0;
        s->state = ARGUMENTS;
        break;
      case ARGUMENTS:
        s->state = METHOD;
        s->calls++;
        if (!strcmp(s->method, "kong.request.get_headers")) {
          send_frame(s, headers_for(s), (uint32_t)template_length);
        } else if (!strcmp(s->method, "kong.nginx.get_var")) {
          unsigned char text[64] = {0x0a, sizeof REQUEST_ID - 1};
          memcpy(text + 2, REQUEST_ID, sizeof REQUEST_ID - 1);
          send_frame(s, text, 2 + sizeof REQUEST_ID - 1);
        } else if (!strcmp(s->method, "kong.response.exit")) {
          uint64_t status = 0;
          if (length > 2 && frame[0] == 0x08) status = (frame[1] & 127u) | (uint64_t)frame[2] << 7;
          end_event(s, status ? status : 599);
          return; /* another connection, or none */
        } else {
          if (!strcmp(s->method, "kong.client.authenticate")) s->authenticated = 1;
          send_frame(s, NULL, 0);
        }
        break;
      case RETURN: {
        unsigned char wanted[16] = {0x08};
        size_t n = 1 + put_varint(wanted + 1, s->sequence);
        if (length != n || memcmp(frame, wanted, n)) die("a return to another call");
        if (at != s->have) die("more than the return to a call");
        s->have = 0;
        end_event(s, 0);
        return;
      }
    }
  }
  if (s->fd >= 0 && at) {
    s->have -= at;
    memmove(s->in, s->in + at, s->have);
  }
}

/* MsgPack:1 */

static uint64_t big_endian(const unsigned char *p, size_t n) {
  uint64_t value = 0;
  while (n--) value = value << 8 | *p++;
  return value;
}

/* The end of the value at p, or NULL where it is not all there yet. */
static const unsigned char *skip(const unsigned char *p, const unsigned char *end) {
  if (p >= end) return NULL;
  unsigned char t = *p++;
  uint64_t items = 0, bytes = 0;
  size_t size;
  if (t < 0x80 || t >= 0xe0 || t == 0xc0 || t == 0xc2 || t == 0xc3) return p;
  if (t < 0x90) items = 2u * (t & 15u);
  else if (t < 0xa0) items = t & 15u;
  else if (t < 0xc0) bytes = t & 31u;
  else {
    switch (t) {
      case 0xcc: case 0xd0: bytes = 1; break;
      case 0xcd: case 0xd1: bytes = 2; break;
      case 0xca: case 0xce: case 0xd2: bytes = 4; break;
      case 0xcb: case 0xcf: case 0xd3: bytes = 8; break;
      case 0xc4: case 0xd9: case 0xc5: case 0xda: case 0xc6: case 0xdb:
        size = t == 0xc4 || t == 0xd9 ? 1 : t == 0xc5 || t == 0xda ? 2 : 4;
        if ((size_t)(end - p) < size) return NULL;
        bytes = big_endian(p, size);
        p += size;
        break;
      case 0xdc: case 0xde: case 0xdd: case 0xdf:
        size = t == 0xdc || t == 0xde ? 2 : 4;
        if ((size_t)(end - p) < size) return NULL;
        items = big_endian(p, size) * (t >= 0xde ? 2 : 1);
        p += size;
        break;
      default: die("an unexpected type in MessagePack");
    }
  }
  if ((uint64_t)(end - p) < bytes) return NULL;
  p += bytes;
  while (items--)
    if (!(p = skip(p, end))) return NULL;
  return p;
}

/* The bytes of a string (its length in *length), or NULL where the value is none. */
static const unsigned char *text_at(const unsigned char *p, size_t *length) {
  if (*p >= 0xa0 && *p < 0xc0) return *length = *p & 31u, p + 1;
  if (*p == 0xd9) return *length = p[1], p + 2;
  return NULL;
}

static int is_text(const unsigned char *p, const char *wanted) {
  size_t length;
  const unsigned char *text = text_at(p, &length);
  return text && length == strlen(wanted) && !memcmp(text, wanted, length);
}

static uint64_t uint_at(const unsigned char *p) {
  switch (*p) {
    case 0xcc: return p[1];
    case 0xcd: case 0xd1: return big_endian(p + 1, 2);
    case 0xce: case 0xd2: return big_endian(p + 1, 4);
    case 0xcf: case 0xd3: return big_endian(p + 1, 8);
    default: return *p < 0x80 ? *p : 0;
  }
}

/* The value under a name in a small map, or NULL. */
static const unsigned char *member(const unsigned char *map, const unsigned char *end, const char *name) {
  if ((*map & 0xf0) != 0x80) return NULL;
  size_t pairs = *map & 15u;
  const unsigned char *p = map + 1;
  while (pairs--) {
    const unsigned char *value = skip(p, end);
    if (is_text(p, name)) return value;
    p = skip(value, end);
  }
  return NULL;
}

static void answer_message(slot *s) {
  const unsigned char *end = s->in + s->have, *last = skip(s->in, end);
  if (!last) return;
  if (last != end) die("more than one answer to a call");
  if (s->in[0] != 0x94 || s->in[1] != 1) die("no answer");
  const unsigned char *p = s->in + 2;
  if (uint_at(p) != s->sequence) die("an answer to another call");
  p = skip(p, end);
  if (*p != 0xc0) {
    size_t length;
    const unsigned char *text = text_at(p, &length);
    if (text) fprintf(stderr, "driver: %.*s\n", (int)length, text);
    die("the server answers with an error");
  }
  p++;
  const unsigned char *data = member(p, end, "Data"), *event = member(p, end, "EventId");
  if (!data || !event) die("a step without Data or EventId");
  if (is_text(data, "ret")) {
    s->have = 0;
    end_event(s, 0);
    return;
  }
  const unsigned char *method = member(data, end, "Method"), *arguments = member(data, end, "Args");
  if (!method || !arguments) die("a step without a method");
  s->calls++;
  if (is_text(method, "kong.response.exit")) {
    uint64_t status = uint_at(arguments + 1);
    s->have = 0;
    end_event(s, status ? status : 599);
    return;
  }
  const char *step = "plugin.Step";
  const unsigned char *value = NULL;
  size_t value_length = 0;
  unsigned char text[64];
  if (is_text(method, "kong.request.get_headers")) {
    step = "plugin.StepMultiMap";
    value = headers_for(s);
    value_length = template_length;
  } else if (is_text(method, "kong.client.authenticate")) {
    step = "plugin.StepCredential";
    s->authenticated = 1;
  } else if (is_text(method, "kong.nginx.get_var")) {
    text[0] = 0xd9;
    text[1] = sizeof REQUEST_ID - 1;
    memcpy(text + 2, REQUEST_ID, sizeof REQUEST_ID - 1);
    value = text;
    value_length = sizeof REQUEST_ID + 1;
  }
  size_t n = put_call(reply, s, step), event_length = (size_t)(skip(event, end) - event);
  reply[n++] = value ? 0x82 : 0x81;
  if (value) {
    n += put_text(reply + n, "Data");
    memcpy(reply + n, value, value_length);
    n += value_length;
  }
  n += put_text(reply + n, "EventId");
  memcpy(reply + n, event, event_length);
  n += event_length;
  s->have = 0;
  send_all(s, reply, n);
}

static void on_readable(slot *s) {
  ssize_t got = recv(s->fd, s->in + s->have, BUFFER - s->have, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) { /* Kong would try again, without limit; here it is counted */
    lost++;
    if (lost > 1000) die("the server closes its connections");
    busy--;
    close_connection(s);
    begin_event(s);
    return;
  }
  s->have += (size_t)got;
  if (msgpack) answer_message(s);
  else answer_frames(s);
}

static void forget_figures(void) {
  finished = allowed = unmarked = lost = calls = connects = 0;
  memset(exits, 0, sizeof exits);
  memset(histogram, 0, sizeof histogram);
}

static void run_until(uint64_t deadline) {
  struct epoll_event ready[64];
  for (;;) {
    if (!busy) return;
    uint64_t now = now_ns();
    if (deadline && now >= deadline) return;
    int n = epoll_wait(epoll_fd, ready, 64, 100);
    if (n < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < n; i++) {
      slot *s = ready[i].data.ptr;
      if (s->fd >= 0) on_readable(s);
    }
  }
}

/* driver SOCKET protobuf|msgpack INSTANCE CONNECTIONS WARM-UP SECONDS EVENTS HEADERS KEY-AT KEYS KEY-LENGTH
 * EVENTS 0: for SECONDS after WARM-UP seconds; else that many events, from the first on, whatever time they take. */
int main(int argc, char **argv) {
  if (argc != 12) die("wrong arguments");
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
  msgpack = !strcmp(argv[2], "msgpack");
  instance = strtoull(argv[3], NULL, 10);
  slot_count = atoi(argv[4]);
  double warm_up = atof(argv[5]), seconds = atof(argv[6]);
  event_limit = strtoull(argv[7], NULL, 10);
  template_ = read_file(argv[8], &template_length);
  key_at = strtoull(argv[9], NULL, 10);
  size_t keys_length;
  keys = read_file(argv[10], &keys_length);
  key_length = atoi(argv[11]);
  if (slot_count < 1 || slot_count > MAX_SLOTS || key_length < 1) die("wrong numbers");
  key_count = keys_length / (size_t)key_length;
  if (!key_count || key_at + (size_t)key_length > template_length) die("no keys, or no place for them");
  reply = malloc(template_length + 256);
  slots = calloc((size_t)slot_count, sizeof(slot));
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (!reply || !slots || epoll_fd < 0) die("cannot begin");
  next_sequence = 1;
  errno = 0;
  for (int i = 0; i < slot_count; i++) {
    slots[i].fd = -1;
    begin_event(&slots[i]);
  }
  if (!event_limit) {
    run_until(now_ns() + (uint64_t)(warm_up * 1e9));
    forget_figures();
  }
  double cpu = cpu_seconds();
  uint64_t began = now_ns();
  puts("begin");
  fflush(stdout);
  run_until(event_limit ? 0 : began + (uint64_t)(seconds * 1e9));
  double took = (double)(now_ns() - began) / 1e9;
  cpu = cpu_seconds() - cpu;
  printf("{\"events\":%llu,\"seconds\":%.6f,\"allowed\":%llu,\"unmarked\":%llu,\"lost\":%llu,\"calls\":%llu,"
         "\"connects\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"driver_cpu_us\":%.2f,\"exits\":{",
         (unsigned long long)finished, took, (unsigned long long)allowed, (unsigned long long)unmarked,
         (unsigned long long)lost, (unsigned long long)calls, (unsigned long long)connects, quantile_us(0.5),
         quantile_us(0.99), finished ? 1e6 * cpu / (double)finished : 0.0);
  const char *comma = "";
  for (int i = 0; i < 600; i++)
    if (exits[i]) {
      printf("%s\"%d\":%llu", comma, i, (unsigned long long)exits[i]);
      comma = ",";
    }
  puts("}}");
  fflush(stdout);
  /* What is in hand is brought to its end: the npm server dies of a connection that is closed before it has answered. */
  stopping = 1;
  run_until(now_ns() + 5000000000u);
  return 0;
}
