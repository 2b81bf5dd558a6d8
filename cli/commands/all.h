// Every command has a file of its own in this folder, and its row a name here. The lists are in cli/commands.c.
#ifndef COFFER_CLI_COMMANDS_ALL_H
#define COFFER_CLI_COMMANDS_ALL_H

#include "cli/commands.h"

extern const struct command command_completion;
extern const struct command command_help;
extern const struct command command_history;
extern const struct command command_container;
extern const struct command command_image;
extern const struct command command_images;
extern const struct command command_import;
extern const struct command command_inspect;
extern const struct command command_load;
extern const struct command command_save;
extern const struct command command_login;
extern const struct command command_logout;
extern const struct command command_logs;
extern const struct command command_manifest;
extern const struct command command_mount;
extern const struct command command_network;
extern const struct command command_healthcheck;
extern const struct command command_healthcheck_run;
extern const struct command command_pull;
extern const struct command command_push;
extern const struct command command_copy;
extern const struct command command_referrers;
extern const struct command command_rmi;
extern const struct command command_search;
extern const struct command command_system;
extern const struct command command_tag;
extern const struct command command_tags;
extern const struct command command_unmount;
extern const struct command command_unshare;
extern const struct command command_volume;

extern const struct command command_image_ls;
extern const struct command command_image_prune;
extern const struct command command_image_inspect;
extern const struct command command_image_rm;
extern const struct command command_container_inspect;
extern const struct command command_events;
extern const struct command command_port;
extern const struct command command_top;
extern const struct command command_container_prune;
extern const struct command command_system_check;
extern const struct command command_system_df;
extern const struct command command_system_prune;
extern const struct command command_manifest_add;
extern const struct command command_manifest_annotate;
extern const struct command command_manifest_create;
extern const struct command command_manifest_exists;
extern const struct command command_manifest_inspect;
extern const struct command command_manifest_ls;
extern const struct command command_manifest_push;
extern const struct command command_manifest_remove;
extern const struct command command_manifest_rm;
extern const struct command command_network_connect;
extern const struct command command_network_create;
extern const struct command command_network_disconnect;
extern const struct command command_network_inspect;
extern const struct command command_network_ls;
extern const struct command command_network_prune;
extern const struct command command_network_rm;
extern const struct command command_ps;
extern const struct command command_rm;
extern const struct command command_attach;
extern const struct command command_create;
extern const struct command command_cp;
extern const struct command command_exec;
extern const struct command command_kill;
extern const struct command command_pause;
extern const struct command command_rename;
extern const struct command command_restart;
extern const struct command command_start;
extern const struct command command_stop;
extern const struct command command_unpause;
extern const struct command command_wait;
extern const struct command command_run;
extern const struct command command_manual;
extern const struct command command_version;
extern const struct command command_volume_create;
extern const struct command command_volume_inspect;
extern const struct command command_volume_ls;
extern const struct command command_volume_prune;
extern const struct command command_volume_rm;

extern const struct command command_oci_checkpoint;
extern const struct command command_oci_create;
extern const struct command command_oci_delete;
extern const struct command command_oci_events;
extern const struct command command_oci_exec;
extern const struct command command_oci_features;
extern const struct command command_oci_kill;
extern const struct command command_oci_list;
extern const struct command command_oci_mounts;
extern const struct command command_oci_pause;
extern const struct command command_oci_ps;
extern const struct command command_oci_restore;
extern const struct command command_oci_resume;
extern const struct command command_oci_run;
extern const struct command command_oci_spec;
extern const struct command command_oci_start;
extern const struct command command_oci_state;
extern const struct command command_oci_update;

#endif
