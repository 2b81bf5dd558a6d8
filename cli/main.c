// The program's way from its words to an exit code: find the command, read its options, make out where state lives, call it, and
// print the one error there may be. Nothing is read or made before the command is known: this is also the hot path of the low level.
#include "cli/call.h"

int main(int argc, char **argv) {
    return call_program(argc, argv);
}
