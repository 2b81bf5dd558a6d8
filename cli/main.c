#include "cli/call.h"

int main(int argc, char **argv) {
    return call_program(argc, argv);
}
