#include "images/fetch_message.h"

static const struct wire_field order_fields[] = {
    WIRE(struct fetch_order, STRING, method),
    WIRE(struct fetch_order, STRING, url),
    WIRE_COUNTED(struct fetch_order, STRINGS, headers, headers_count),
    WIRE(struct fetch_order, STRING, ca_pem),
    WIRE(struct fetch_order, STRING, cert_pem),
    WIRE(struct fetch_order, STRING, key_pem),
    WIRE(struct fetch_order, BOOL, ca_alone),
    WIRE(struct fetch_order, BOOL, insecure),
    WIRE_COUNTED(struct fetch_order, BYTES, body, body_size),
    WIRE(struct fetch_order, U64, body_offset),
    WIRE(struct fetch_order, U64, body_length),
    WIRE(struct fetch_order, U64, resume_at),
    WIRE(struct fetch_order, U64, until),
    WIRE(struct fetch_order, U64, max_bytes),
};
const struct wire_record fetch_order_record = WIRE_TABLE(struct fetch_order, order_fields);

static const struct wire_field head_fields[] = {
    WIRE(struct fetch_head, U32, status),
    WIRE_COUNTED(struct fetch_head, STRINGS, lines, lines_count),
};
const struct wire_record fetch_head_record = WIRE_TABLE(struct fetch_head, head_fields);

static const struct wire_field ending_fields[] = {
    WIRE(struct fetch_ending, BOOL, failed),     WIRE(struct fetch_ending, BOOL, transient), WIRE(struct fetch_ending, U32, errnum),
    WIRE(struct fetch_ending, STRING, text),     WIRE(struct fetch_ending, U64, received),   WIRE(struct fetch_ending, U64, sent),
    WIRE(struct fetch_ending, U32, keep_errnum),
};
const struct wire_record fetch_ending_record = WIRE_TABLE(struct fetch_ending, ending_fields);
