#include "runtime/net/nft.h"

#include "runtime/base/err.h"
#include "runtime/base/fd.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>

static_assert((int)NFT_FIRST_REGISTER == (int)NFT_REG32_00, "registers are the kernel's");

void nft_batch_finish(struct nft_batch *batch) {
    buf_finish(&batch->messages);
}

int nft_open(struct err *err) {
    AUTO_FD int fd = netlink_open_family(NETLINK_NETFILTER, err);
    if (fd < 0 && (err->errnum == EPROTONOSUPPORT || err->errnum == EAFNOSUPPORT)) {
        return err_set(err, ERR_UNSUPPORTED,
                       "this kernel has no nf_tables (CONFIG_NF_TABLES), which networks and published ports need");
    }
    return fd < 0 ? -1 : fd_take(&fd);
}

static bool changes(uint16_t type) {
    return type == NFT_MSG_NEWTABLE || type == NFT_MSG_DELTABLE || type == NFT_MSG_NEWCHAIN || type == NFT_MSG_DELCHAIN ||
           type == NFT_MSG_NEWRULE || type == NFT_MSG_DELRULE || type == NFT_MSG_NEWSET || type == NFT_MSG_DELSET ||
           type == NFT_MSG_NEWSETELEM || type == NFT_MSG_DELSETELEM;
}

static void add_border(struct nft_batch *batch, uint16_t type, uint32_t number) {
    const struct nfgenmsg header = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};
    netlink_begin(&batch->messages, type, 0, number, &header, sizeof(header));
}

uint32_t nft_message(struct nft_batch *batch, uint16_t type, uint16_t flags) {
    const struct nfgenmsg header = {.nfgen_family = batch->family, .version = NFNETLINK_V0};
    if (batch->count == 0 && changes(type)) {
        add_border(batch, NFNL_MSG_BATCH_BEGIN, batch->count);
        batch->count++;
    } else if (batch->count == 0) {
        netlink_begin(&batch->messages, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, 0, batch->count, &header, sizeof(header));
        batch->count++;
    }
    batch->last_at = batch->messages.size;
    netlink_begin(&batch->messages, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, batch->count, &header, sizeof(header));
    netlink_add_string(&batch->messages, NFTA_TABLE_NAME, batch->table);
    return batch->count++;
}

// The last one asks for the answer that ends the exchange.
static int exchange(int fd, struct nft_batch *batch, bool commit, netlink_take *take, void *context,
                    struct netlink_failure *ret_failure, struct err *err) {
    struct nlmsghdr *last = (struct nlmsghdr *)(void *)(batch->messages.data + batch->last_at);
    assert(batch->count > 0);
    if (!(last->nlmsg_flags & NLM_F_DUMP)) {
        last->nlmsg_flags |= NLM_F_ACK;
    }
    if (commit) {
        add_border(batch, NFNL_MSG_BATCH_END, batch->count);
    }
    return netlink_exchange(fd, &batch->messages, batch->count - 1, take, context, ret_failure, err);
}

int nft_commit(int fd, struct nft_batch *batch, struct netlink_failure *ret_failure, struct err *err) {
    return exchange(fd, batch, true, NULL, NULL, ret_failure, err);
}

int nft_ask(int fd, struct nft_batch *batch, netlink_take *take, void *context, struct netlink_failure *ret_failure,
            struct err *err) {
    return exchange(fd, batch, false, take, context, ret_failure, err);
}

int nft_complain(int errnum, const char *what, struct err *err) {
    if (errnum == EPERM) {
        return err_set(err, ERR_UNSUPPORTED, "%s: only root can do so (CAP_NET_ADMIN is missing)", what);
    }
    if (errnum == EINVAL || errnum == EOPNOTSUPP) {
        return err_set(err, ERR_UNSUPPORTED,
                       "%s: this kernel has no nf_tables (CONFIG_NF_TABLES), which networks and published ports need", what);
    }
    return err_num(err, errnum, "%s", what);
}

int nft_type(const struct nlmsghdr *message) {
    return message->nlmsg_type >> 8 == NFNL_SUBSYS_NFTABLES && message->nlmsg_len >= NLMSG_SPACE(sizeof(struct nfgenmsg))
               ? message->nlmsg_type & 0xff
               : -1;
}

uint8_t nft_family(const struct nlmsghdr *message) {
    return ((const struct nfgenmsg *)NLMSG_DATA(message))->nfgen_family;
}

struct netlink_bytes nft_attributes(const struct nlmsghdr *message) {
    return netlink_attributes(message, sizeof(struct nfgenmsg));
}

// --- expressions ---

struct expression {
    size_t element, data;
};

static struct expression begin(struct buf *batch, const char *name) {
    struct expression expression;
    expression.element = netlink_nest(batch, NFTA_LIST_ELEM);
    netlink_add_string(batch, NFTA_EXPR_NAME, name);
    expression.data = netlink_nest(batch, NFTA_EXPR_DATA);
    return expression;
}

static void end(struct buf *batch, struct expression expression) {
    netlink_nest_end(batch, expression.data);
    netlink_nest_end(batch, expression.element);
}

static void add_value(struct buf *batch, uint16_t type, const void *value, size_t size) {
    size_t nest = netlink_nest(batch, type);
    netlink_add(batch, NFTA_DATA_VALUE, value, size);
    netlink_nest_end(batch, nest);
}

void nft_load_meta(struct buf *batch, uint32_t key, unsigned reg) {
    struct expression expression = begin(batch, "meta");
    netlink_add_be32(batch, NFTA_META_DREG, reg);
    netlink_add_be32(batch, NFTA_META_KEY, key);
    end(batch, expression);
}

void nft_load_ct(struct buf *batch, uint32_t key, unsigned reg) {
    struct expression expression = begin(batch, "ct");
    netlink_add_be32(batch, NFTA_CT_DREG, reg);
    netlink_add_be32(batch, NFTA_CT_KEY, key);
    end(batch, expression);
}

void nft_load_payload(struct buf *batch, uint32_t base, uint32_t offset, uint32_t size, unsigned reg) {
    struct expression expression = begin(batch, "payload");
    netlink_add_be32(batch, NFTA_PAYLOAD_DREG, reg);
    netlink_add_be32(batch, NFTA_PAYLOAD_BASE, base);
    netlink_add_be32(batch, NFTA_PAYLOAD_OFFSET, offset);
    netlink_add_be32(batch, NFTA_PAYLOAD_LEN, size);
    end(batch, expression);
}

void nft_load_destination_type(struct buf *batch, unsigned reg) {
    struct expression expression = begin(batch, "fib");
    netlink_add_be32(batch, NFTA_FIB_DREG, reg);
    netlink_add_be32(batch, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
    netlink_add_be32(batch, NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR);
    end(batch, expression);
}

void nft_mask(struct buf *batch, unsigned reg, uint32_t mask) {
    const uint32_t flip = 0;
    struct expression expression = begin(batch, "bitwise");
    netlink_add_be32(batch, NFTA_BITWISE_SREG, reg);
    netlink_add_be32(batch, NFTA_BITWISE_DREG, reg);
    netlink_add_be32(batch, NFTA_BITWISE_LEN, sizeof(mask));
    add_value(batch, NFTA_BITWISE_MASK, &mask, sizeof(mask));
    add_value(batch, NFTA_BITWISE_XOR, &flip, sizeof(flip));
    end(batch, expression);
}

void nft_compare(struct buf *batch, unsigned reg, bool equal, const void *value, size_t size) {
    struct expression expression = begin(batch, "cmp");
    netlink_add_be32(batch, NFTA_CMP_SREG, reg);
    netlink_add_be32(batch, NFTA_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
    add_value(batch, NFTA_CMP_DATA, value, size);
    end(batch, expression);
}

void nft_look_up(struct buf *batch, const char *set, unsigned reg, bool in) {
    struct expression expression = begin(batch, "lookup");
    netlink_add_string(batch, NFTA_LOOKUP_SET, set);
    netlink_add_be32(batch, NFTA_LOOKUP_SREG, reg);
    netlink_add_be32(batch, NFTA_LOOKUP_FLAGS, in ? 0 : NFT_LOOKUP_F_INV);
    end(batch, expression);
}

void nft_map(struct buf *batch, const char *map, unsigned reg) {
    struct expression expression = begin(batch, "lookup");
    netlink_add_string(batch, NFTA_LOOKUP_SET, map);
    netlink_add_be32(batch, NFTA_LOOKUP_SREG, reg);
    netlink_add_be32(batch, NFTA_LOOKUP_DREG, reg);
    end(batch, expression);
}

void nft_verdict(struct buf *batch, int32_t verdict, const char *chain) {
    struct expression expression = begin(batch, "immediate");
    netlink_add_be32(batch, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    size_t data = netlink_nest(batch, NFTA_IMMEDIATE_DATA);
    size_t inner = netlink_nest(batch, NFTA_DATA_VERDICT);
    netlink_add_be32(batch, NFTA_VERDICT_CODE, (uint32_t)verdict);
    if (chain) {
        netlink_add_string(batch, NFTA_VERDICT_CHAIN, chain);
    }
    netlink_nest_end(batch, inner);
    netlink_nest_end(batch, data);
    end(batch, expression);
}

void nft_destination_nat(struct buf *batch, uint8_t family, unsigned address_reg, unsigned port_reg) {
    struct expression expression = begin(batch, "nat");
    netlink_add_be32(batch, NFTA_NAT_TYPE, NFT_NAT_DNAT);
    netlink_add_be32(batch, NFTA_NAT_FAMILY, family);
    netlink_add_be32(batch, NFTA_NAT_REG_ADDR_MIN, address_reg);
    netlink_add_be32(batch, NFTA_NAT_REG_PROTO_MIN, port_reg);
    end(batch, expression);
}

void nft_masquerade(struct buf *batch) {
    end(batch, begin(batch, "masq"));
}

void nft_count(struct buf *batch) {
    end(batch, begin(batch, "counter"));
}
