// HostConfig: what a container was asked to have of its host, by docker's names.
#ifndef COFFER_CLI_COMMANDS_INSPECT_HOST_H
#define COFFER_CLI_COMMANDS_INSPECT_HOST_H

struct json_writer;
struct view;

// log_driver: "" where its options cannot be read any more.
void inspect_write_host_config(const struct view *view, const char *log_driver, struct json_writer *writer);

#endif
