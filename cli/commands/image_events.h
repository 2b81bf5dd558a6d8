// What happens to images, for those who watch events.
#ifndef COFFER_CLI_COMMANDS_IMAGE_EVENTS_H
#define COFFER_CLI_COMMANDS_IMAGE_EVENTS_H

struct catalog_removal;
struct context;

// id: as docker has it for the action, an image's id or a name; name: NULL where there is none.
void image_announce(const struct context *context, const char *action, const char *id, const char *name);

// "untag" and "delete".
void image_announce_removal(const struct context *context, const struct catalog_removal *removal);

#endif
