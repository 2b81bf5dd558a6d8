// The program inside the container: static, does nothing. With an argument it ends with 42, which proves that it was run at all.
int main(int argc, char **argv) {
    (void)argv;
    return argc > 1 ? 42 : 0;
}
