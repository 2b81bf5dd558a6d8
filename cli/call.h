// One call of the program: from its words to its exit code.
#ifndef COFFER_CLI_CALL_H
#define COFFER_CLI_CALL_H

struct context;
struct err;

enum {
    EXIT_CODE_ERROR = 125,          // coffer itself failed, as docker has it
    EXIT_CODE_NOT_EXECUTABLE = 126, // the container's command cannot be executed
    EXIT_CODE_NO_COMMAND = 127,     // the container's command does not exist
    EXIT_CODE_LOW_LEVEL = 1,        // any error of the low level, as runc has it
};

// Finds the command, reads its options, makes out where state lives, runs it, and prints the one error there may be. Nothing is
// read or made before the command is known: this is also the hot path of the low level. The words may be reordered.
int call_program(int argc, char **argv);

#endif
