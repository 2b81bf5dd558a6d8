#include <stdio.h>

int main(void) {
    puts("coffer " COFFER_VERSION);
    return 0;
}
