// The program inside the container: static, does nothing. With an argument it ends with 42, which proves that it was run at all; with
// "wait" it stays until it is killed.
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "wait") == 0) {
        pause();
    }
    return argc > 1 ? 42 : 0;
}
