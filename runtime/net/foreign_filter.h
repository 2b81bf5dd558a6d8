// foreign_filter: other programs' chains that would drop what our networks forward.
//
// A packet has to be accepted by every chain of a hook: that ours accepts it does not help where another one drops it. Docker (and
// ufw) set the policy of iptables' FORWARD chain to DROP, firewalld refuses what is in none of its zones. Docker keeps a chain for
// such cases, DOCKER-USER, which it calls first and never touches. So two rules are put in front, of what comes in by interfaces of
// ours and of what goes out by them; whether it may is then our own chain's decision alone. They are written so that iptables(8)
// can read them:
//
//     -A DOCKER-USER -i cf-+ -j ACCEPT
//     -A DOCKER-USER -o cf-+ -j ACCEPT
//
// There are two whatever the number of networks. A restart of ufw and a reload of firewalld take them away, so this is asked with
// every start of a container; where nothing is in the way it is one question.
#ifndef COFFER_NET_FOREIGN_FILTER_H
#define COFFER_NET_FOREIGN_FILTER_H

#include "runtime/base/attr.h"

#include <stdbool.h>

struct err;

// For interfaces whose names begin with `prefix`, at most 12 characters; the socket is firewall_open()'s. A chain that goes away
// meanwhile is no error. Where a table may be changed by its owner alone (firewalld 2.1) a warning says what its administrator can
// do.
int foreign_filter_pass(int fd, const char *prefix, struct err *err) MUST_CHECK;

// Takes the rules back.
int foreign_filter_stop(int fd, const char *prefix, struct err *err) MUST_CHECK;

#endif
