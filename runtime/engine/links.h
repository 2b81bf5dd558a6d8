// Symbolic links whose text is the id of the container they belong to: a name, a range of user ids. Made in one system call, they are
// never half there.
#ifndef COFFER_ENGINE_LINKS_H
#define COFFER_ENGINE_LINKS_H

// Removes all links of the directory that belong to the container.
void links_remove(int dir_fd, const char *container);

#endif
