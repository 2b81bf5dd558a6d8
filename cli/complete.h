// Completions for shells, generated from the tables: scripts that hold all names, so that pressing TAB starts no program except to
// list containers and images.
#ifndef COFFER_CLI_COMPLETE_H
#define COFFER_CLI_COMPLETE_H

struct buf;

void complete_bash(struct buf *buf);
void complete_zsh(struct buf *buf);
void complete_fish(struct buf *buf);

#endif
