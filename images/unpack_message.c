#include "images/unpack_message.h"

static const struct wire_field order_fields[] = {
    WIRE(struct unpack_order, U32, parent),
    WIRE(struct unpack_order, U32, job),
    WIRE(struct unpack_order, BOOL, has_output),
    WIRE(struct unpack_order, BOOL, is_pipe),
    WIRE(struct unpack_order, U64, offset),
    WIRE(struct unpack_order, U64, length),
    WIRE(struct unpack_order, U32, algorithm),
    WIRE(struct unpack_order, U32, compression),
    WIRE(struct unpack_order, U32, devices),
    WIRE(struct unpack_order, BOOL, single_id),
    WIRE(struct unpack_order, U64, max_bytes),
    WIRE(struct unpack_order, U64, max_entries),
    WIRE(struct unpack_order, U32, output_compression),
    WIRE(struct unpack_order, U32, signs),
    WIRE(struct unpack_order, BOOL, writes_record),
};
const struct wire_record unpack_order_record = WIRE_TABLE(struct unpack_order, order_fields);

static const struct wire_field link_fields[] = {
    WIRE(struct unpack_link, STRING, name),
    WIRE(struct unpack_link, STRING, target),
};
static const struct wire_record link_record = WIRE_TABLE(struct unpack_link, link_fields);

static const struct wire_field report_fields[] = {
    WIRE(struct unpack_report, STRING, digest),
    WIRE(struct unpack_report, STRING, diff_id),
    WIRE(struct unpack_report, U64, result.size),
    WIRE(struct unpack_report, U64, result.tar_size),
    WIRE(struct unpack_report, U64, result.entries),
    WIRE(struct unpack_report, U64, result.file_bytes),
    WIRE(struct unpack_report, U64, result.dropped_xattrs),
    WIRE(struct unpack_report, U64, result.skipped_devices),
    WIRE_COUNTED(struct unpack_report, STRINGS, result.implied_dirs, result.implied_count),
    WIRE_COUNTED(struct unpack_report, STRINGS, result.opaque_dirs, result.opaque_count),
    WIRE_ARRAY(struct unpack_report, result.links, result.link_count, link_record),
};
const struct wire_record unpack_report_record = WIRE_TABLE(struct unpack_report, report_fields);

static const struct wire_field repack_fields[] = {
    WIRE(struct repack_report, STRING, digest),
    WIRE(struct repack_report, STRING, diff_id),
    WIRE(struct repack_report, U64, size),
    WIRE(struct repack_report, U64, tar_size),
};
const struct wire_record repack_report_record = WIRE_TABLE(struct repack_report, repack_fields);

static const struct wire_field difference_fields[] = {
    WIRE(struct verify_difference, STRING, path),
    WIRE(struct verify_difference, STRING, problem),
};
static const struct wire_record difference_record = WIRE_TABLE(struct verify_difference, difference_fields);

static const struct wire_field verify_fields[] = {
    WIRE(struct verify_report, STRING, diff_id),
    WIRE(struct verify_report, BOOL, result.is_read),
    WIRE(struct verify_report, U64, result.tar_size),
    WIRE(struct verify_report, U64, result.more),
    WIRE_ARRAY(struct verify_report, result.differences, result.differences_count, difference_record),
    WIRE_COUNTED(struct verify_report, STRINGS, result.opaque_dirs, result.opaque_count),
};
const struct wire_record verify_report_record = WIRE_TABLE(struct verify_report, verify_fields);

static const struct wire_field tree_pack_fields[] = {
    WIRE(struct tree_pack_report, STRING, diff_id),      WIRE(struct tree_pack_report, U64, result.tar_size),
    WIRE(struct tree_pack_report, U64, result.entries),  WIRE(struct tree_pack_report, U64, result.file_bytes),
    WIRE(struct tree_pack_report, U64, result.left_out),
};
const struct wire_record tree_pack_report_record = WIRE_TABLE(struct tree_pack_report, tree_pack_fields);
