// nft: the messages and expressions of nf_tables, the kernel's packet filter, as far as firewall.h needs them.
//
// Changes are transactions: a batch is carried out as a whole or not at all, and packets meet either what was before or what is
// after. An expression loads something of the packet into a register, compares or looks up what is in one, or decides. What is
// stored is laid out as nft(8) would have done it, so that `nft list table inet coffer` shows it in its own words.
#ifndef COFFER_NET_NFT_H
#define COFFER_NET_NFT_H

#include "runtime/base/attr.h"
#include "runtime/base/buf.h"
#include "runtime/kernel/netlink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

// Families of tables, and of the packets that meet one of NFT_INET: linux/netfilter.h, which no C library but one gets along with.
enum { NFT_INET = 1, NFT_IPV4 = 2, NFT_IPV6 = 10 };
// Where a chain sits, and what it says at last.
enum { NFT_PREROUTING, NFT_INPUT, NFT_FORWARD, NFT_OUTPUT, NFT_POSTROUTING };
enum { NFT_DROP, NFT_ACCEPT };

// Registers hold 16 bytes; what is concatenated goes on in the next. These are counted in fours, as fields of a key are.
enum { NFT_FIRST_REGISTER = 8 }; // NFT_REG32_00

// A transaction, or a run of questions.
struct nft_batch {
    struct buf messages;
    uint32_t count;    // the messages' numbers: from 1 on, 0 is what goes in front
    size_t last_at;    // where the last message begins
    uint8_t family;    // of the table
    const char *table; // what the messages are about
};

#define NFT_BATCH                                                                                                                  \
    { .family = NFT_INET, .table = "coffer" }

void nft_batch_finish(struct nft_batch *batch);
#define AUTO_NFT_BATCH AUTO(nft_batch_finish)

int nft_open(struct err *err) MUST_CHECK; // a socket

// Begins a message (NFT_MSG_*) of the batch, which bears the name of the table as the attribute NFTA_*_TABLE, 1 in all of them. In
// front of the first one goes what opens a transaction, or, of questions, one that is always answered: who may not ask is told so,
// and nothing else, as the answer to number 0. Returns the message's number.
uint32_t nft_message(struct nft_batch *batch, uint16_t type, uint16_t flags);

// Carries the transaction out. What the kernel refused is *ret_failure.
int nft_commit(int fd, struct nft_batch *batch, struct netlink_failure *ret_failure, struct err *err) MUST_CHECK;

// Asks the questions, the answers to which go to take(). One that is refused does not keep the others from being answered.
int nft_ask(int fd, struct nft_batch *batch, netlink_take *take, void *context, struct netlink_failure *ret_failure,
            struct err *err) MUST_CHECK;

// What a refusal means for who asked for networks: not being allowed, and a kernel without parts of it, have sentences of their
// own.
int nft_complain(int errnum, const char *what, struct err *err);

// The type NFT_MSG_* of a message, -1 of another family's; and the table's family and its attributes.
int nft_type(const struct nlmsghdr *message);
uint8_t nft_family(const struct nlmsghdr *message);
struct netlink_bytes nft_attributes(const struct nlmsghdr *message);

// --- expressions: within an attribute NFTA_RULE_EXPRESSIONS ---

void nft_load_meta(struct buf *batch, uint32_t key, unsigned reg);
void nft_load_ct(struct buf *batch, uint32_t key, unsigned reg);
void nft_load_payload(struct buf *batch, uint32_t base, uint32_t offset, uint32_t size, unsigned reg);
void nft_load_destination_type(struct buf *batch, unsigned reg); // RTN_*, u32
void nft_mask(struct buf *batch, unsigned reg, uint32_t mask);
void nft_compare(struct buf *batch, unsigned reg, bool equal, const void *value, size_t size);
void nft_look_up(struct buf *batch, const char *set, unsigned reg, bool in);
void nft_map(struct buf *batch, const char *map, unsigned reg); // the key in this register becomes what it maps to
void nft_verdict(struct buf *batch, int32_t verdict, const char *chain);
void nft_destination_nat(struct buf *batch, uint8_t family, unsigned address_reg, unsigned port_reg);
void nft_masquerade(struct buf *batch);
void nft_count(struct buf *batch);

#endif
