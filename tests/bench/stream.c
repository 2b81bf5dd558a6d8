// stream: bytes through a TCP connection, as fast as they go.
//   stream serve PORT                  takes one connection after the other, and reads each to its end
//   stream send ADDRESS PORT MS        sends for so long; prints megabytes a second
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char bytes[256 << 10];

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int die(const char *what) {
    perror(what);
    return 1;
}

static int serve(const struct sockaddr_in *address) {
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
        bind(listener, (const struct sockaddr *)address, sizeof(*address)) < 0 || listen(listener, 16) < 0) {
        return die("stream: listen");
    }
    while (1) {
        int fd = accept(listener, NULL, NULL);
        while (fd >= 0 && read(fd, bytes, sizeof(bytes)) > 0) {
        }
        close(fd);
    }
}

static int send_for(const struct sockaddr_in *address, double ms) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
        return die("stream: connect");
    }
    double start = now_ms(), now = start, sum = 0;
    for (; now < start + ms; now = now_ms()) {
        ssize_t sent = write(fd, bytes, sizeof(bytes));
        if (sent < 0) {
            return die("stream: send");
        }
        sum += (double)sent;
    }
    close(fd);
    printf("%.1f\n", sum / 1e3 / (now - start));
    return 0;
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && strcmp(argv[1], "serve") == 0) {
        address.sin_port = htons((in_port_t)atoi(argv[2]));
        return serve(&address);
    }
    if (argc == 5 && strcmp(argv[1], "send") == 0 && inet_pton(AF_INET, argv[2], &address.sin_addr) == 1) {
        address.sin_port = htons((in_port_t)atoi(argv[3]));
        return send_for(&address, atof(argv[4]));
    }
    fprintf(stderr, "usage: see the head of stream.c\n");
    return 2;
}
