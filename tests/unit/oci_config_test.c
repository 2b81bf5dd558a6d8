#include "tests/unit/check.h"

#include "runtime/base/arena.h"
#include "runtime/base/err.h"
#include "runtime/base/mem.h"
#include "specs/json.h"
#include "specs/oci_config.h"

#include <linux/sched.h>
#include <sys/resource.h>
#include <sys/stat.h>

// Documents are written with ' for ", to be readable here.
static char *quoted(const char *text) {
    char *copy = mem_copy_string(text);
    for (char *at = copy; *at; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    return copy;
}

static struct oci_config *decode(struct arena *arena, const char *text, struct err *err) {
    AUTO_FREE char *json = quoted(text);
    const struct json_document document = {.name = "config.json", .text = json, .size = strlen(json)};
    struct oci_config *config = NULL;
    return oci_config_decode(&document, arena, &config, err) < 0 ? NULL : config;
}

// What decoding says of a document; "" when it likes it.
static const char *complaint(const char *text) {
    static struct err err;
    AUTO_ARENA struct arena arena = {0};
    err = (struct err){0};
    decode(&arena, text, &err);
    return err.text;
}

// The same for members beside a version and a root, for members of "process", and of "linux" with all namespaces.
static const char *root_complaint(const char *members) {
    AUTO_FREE char *text = mem_format("{'ociVersion':'1.0.0','root':{'path':'rootfs'},%s}", members);
    return complaint(text);
}

static const char *process_complaint(const char *members) {
    AUTO_FREE char *text = mem_format("'process':{'cwd':'/','args':['sh']%s}", members);
    return root_complaint(text);
}

static const char *linux_complaint(const char *members) {
    AUTO_FREE char *text =
        mem_format("'linux':{'namespaces':[{'type':'user'},{'type':'network'},{'type':'ipc'},{'type':'time'}],%s}", members);
    return root_complaint(text);
}

CASE(minimal_documents_are_enough) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct oci_config *config = decode(&arena, "{'ociVersion':'1.0.0','root':{'path':'rootfs'}}", &err);
    CHECK(config && !config->process && config->mounts_count == 0 && config->os.namespaces_count == 0);
    CHECK_STR(config->root.path, "rootfs");
    CHECK(!config->os.resources.pids_limit.set && !config->os.seccomp && config->warnings_count == 0);
    CHECK_STR(process_complaint(""), "");
}

CASE(the_process_is_decoded_whole) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct oci_config *config = decode(
        &arena,
        "{'ociVersion':'1.2.0','root':{'path':'/"
        "r','readonly':true},'process':{'terminal':true,'consoleSize':{'height':24,'width':80},"
        "'user':{'uid':1,'gid':2,'umask':18,'additionalGids':[5,6]},'args':['a','b'],'env':['X=1'],'cwd':'/w',"
        "'capabilities':{'bounding':['CAP_CHOWN','CAP_FLY'],'ambient':['CAP_SYS_ADMIN']},"
        "'rlimits':[{'type':'RLIMIT_CORE','soft':1,'hard':18446744073709551615}],'noNewPrivileges':true,'apparmorProfile':'p',"
        "'selinuxLabel':'','oomScoreAdj':-5,'scheduler':{'policy':'SCHED_DEADLINE','flags':['SCHED_FLAG_RECLAIM'],'runtime':5},"
        "'ioPriority':{'class':'IOPRIO_CLASS_IDLE','priority':3},'execCPUAffinity':{'initial':'0-1','final':'1'}}}",
        &err);
    CHECK_STR(err.text, "");
    const struct oci_process *process = config->process;
    CHECK(process->terminal && process->console_size->height == 24 && process->console_size->width == 80);
    CHECK(process->user.uid == 1 && process->user.gid == 2 && process->user.umask.set && process->user.umask.value == 022);
    CHECK(process->user.additional_gids_count == 2 && process->user.additional_gids[1] == 6);
    CHECK(process->args_count == 2 && process->args[2] == NULL && process->env_count == 1);
    CHECK(process->capabilities->bounding == 1 && process->capabilities->ambient == 1 << 21);
    CHECK(process->rlimits[0].type == RLIMIT_CORE && process->rlimits[0].soft == 1 && process->rlimits[0].hard == UINT64_MAX);
    CHECK(process->no_new_privileges && process->oom_score_adj.set && process->oom_score_adj.value == -5);
    CHECK_STR(process->apparmor_profile, "p");
    CHECK(process->selinux_label == NULL);
    CHECK(process->scheduler->policy == 6 && process->scheduler->flags == 2 && process->scheduler->runtime_ns == 5);
    CHECK(process->io_priority->class_ == 3 && process->io_priority->priority == 3);
    CHECK_STR(process->exec_cpu_affinity->initial, "0-1");
    CHECK_INT(config->warnings_count, 1);
    CHECK_STR(config->warnings[0],
              "config.json: process.capabilities.bounding[1]: \"CAP_FLY\" is not a known capability and is left out");
}

CASE(the_linux_section_is_decoded_whole) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct oci_config *config = decode(
        &arena,
        "{'ociVersion':'1.2.0','root':{'path':'/r'},'hostname':'h','annotations':{'a.b':'c'},"
        "'mounts':[{'destination':'/m','type':'','source':'/"
        "s','options':['bind'],'uidMappings':[{'containerID':0,'hostID':9,'size':1}],"
        "'gidMappings':[{'containerID':0,'hostID':9,'size':1}]}],"
        "'hooks':{'poststop':[{'path':'/bin/x','args':['x'],'env':['A=1'],'timeout':3}]},"
        "'linux':{'namespaces':[{'type':'uts'},{'type':'network','path':'/proc/1/ns/net'},{'type':'time'}],"
        "'timeOffsets':{'boottime':{'secs':-1,'nanosecs':5}},"
        "'devices':[{'path':'/dev/x','type':'c','major':10,'minor':229,'fileMode':438,'uid':0}],"
        "'netDevices':{'eth0':{'name':'inner'},'eth1':{}},'cgroupsPath':'/c','rootfsPropagation':'rslave','mountLabel':'',"
        "'maskedPaths':['/proc/kcore'],'readonlyPaths':['/proc/sys'],'sysctl':{'net.ipv4.conf.eth0/1.forwarding':'1'},"
        "'personality':{'domain':'LINUX32'},'memoryPolicy':{'mode':'MPOL_BIND','nodes':'0','flags':['MPOL_F_STATIC_NODES']},"
        "'intelRdt':{'closID':'g','schemata':['L3:0=f'],'enableMonitoring':true},"
        "'resources':{'devices':[{'allow':false},{'allow':true,'type':'c','major':1,'minor':-1,'access':'rw'}],"
        "'memory':{'limit':-1,'swap':5,'disableOOMKiller':true},'cpu':{'shares':2,'quota':-1,'cpus':'0-1','idle':1},'pids':{'limit'"
        ":7},"
        "'blockIO':{'weight':10,'weightDevice':[{'major':8,'minor':0,'weight':9}],"
        "'throttleWriteIOPSDevice':[{'major':8,'minor':1,'rate':18446744073709551615}]},"
        "'hugepageLimits':[{'pageSize':'2MB','limit':1}],'network':{'classID':1048577,'priorities':[{'name':'lo','priority':1}]},"
        "'rdma':{'mlx5_1':{'hcaHandles':3}},'unified':{'memory.high':'max'}}}}",
        &err);
    CHECK_STR(err.text, "");
    if (!config) {
        return;
    }
    const struct oci_linux *os = &config->os;
    CHECK(config->mounts[0].type == NULL && config->mounts[0].uid_mappings[0].host_id == 9);
    CHECK(config->hooks[OCI_HOOK_POSTSTOP].items_count == 1 && config->hooks[OCI_HOOK_POSTSTOP].items[0].timeout_s.value == 3);
    CHECK(config->hooks[OCI_HOOK_PRESTART].items_count == 0);
    CHECK(oci_config_namespace(config, CLONE_NEWNET) == &os->namespaces[1] && !oci_config_namespace(config, CLONE_NEWPID));
    CHECK_STR(os->namespaces[1].path, "/proc/1/ns/net");
    CHECK(os->boottime_offset->secs == -1 && os->boottime_offset->nanosecs == 5 && !os->monotonic_offset);
    CHECK(os->devices[0].type == S_IFCHR && os->devices[0].minor == 229 && os->devices[0].file_mode.value == 0666);
    CHECK(os->devices[0].uid.set && !os->devices[0].gid.set);
    CHECK_STR(os->net_devices[0].name, "eth0");
    CHECK_STR(os->net_devices[0].new_name, "inner");
    CHECK(!os->net_devices[1].new_name);
    CHECK_INT(os->rootfs_propagation, 1 << 19 | 1 << 14);
    CHECK_STR(os->sysctl[0].name, "net/ipv4/conf/eth0.1/forwarding");
    CHECK(os->personality->domain == 8 && os->memory_policy->mode == 2 && os->memory_policy->flags == 1 << 15);
    CHECK(os->intel_rdt->enable_monitoring && os->intel_rdt->schemata_count == 1);
    const struct oci_resources *resources = &os->resources;
    CHECK(resources->devices[0].type == 'a' && !resources->devices[0].allow && !resources->devices[0].major.set);
    CHECK(resources->devices[1].type == 'c' && resources->devices[1].minor.value == -1);
    CHECK(resources->memory.limit.value == -1 && resources->memory.swap.value == 5 && !resources->memory.reservation.set);
    CHECK(resources->cpu.shares.value == 2 && resources->cpu.quota.value == -1 && resources->cpu.idle.value == 1);
    CHECK(resources->pids_limit.set && resources->pids_limit.value == 7);
    CHECK(resources->block_io.weight_devices[0].weight.value == 9 && !resources->block_io.weight_devices[0].leaf_weight.set);
    CHECK(resources->block_io.throttles[OCI_THROTTLE_WRITE_IOPS].items[0].rate == UINT64_MAX);
    CHECK(resources->net_class_id.value == 0x100001 && resources->net_priorities[0].priority == 1);
    CHECK(resources->rdma[0].hca_handles.value == 3 && !resources->rdma[0].hca_objects.set);
    CHECK_STR(resources->unified[0].name, "memory.high");
}

CASE(seccomp_is_decoded) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    struct oci_config *config = decode(
        &arena,
        "{'ociVersion':'1.2.0','root':{'path':'/r'},'linux':{'seccomp':{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':38,"
        "'architectures':['SCMP_ARCH_X86_64','SCMP_ARCH_X32'],'flags':['SECCOMP_FILTER_FLAG_LOG'],'listenerPath':'/"
        "l','listenerMetadata':'m',"
        "'syscalls':[{'names':['read','write'],'action':'SCMP_ACT_NOTIFY'},{'names':['personality'],'action':'SCMP_ACT_ALLOW',"
        "'args':[{'index':0,'value':18446744073709551615,'valueTwo':1,'op':'SCMP_CMP_MASKED_EQ'}]}]}}}",
        &err);
    CHECK_STR(err.text, "");
    const struct oci_seccomp *seccomp = config->os.seccomp;
    CHECK(seccomp->default_action == SECCOMP_RET_ERRNO && seccomp->default_errno_ret.value == 38);
    CHECK(seccomp->architectures_count == 2 && seccomp->architectures[0] == AUDIT_ARCH_X86_64 &&
          seccomp->architectures[1] == 0x4000003e);
    CHECK(seccomp->flags == SECCOMP_FILTER_FLAG_LOG && seccomp->syscalls_count == 2 && seccomp->syscalls[0].names_count == 2);
    const struct oci_seccomp_arg *arg = seccomp->syscalls[1].args;
    CHECK(arg->value == UINT64_MAX && arg->value_two == 1 && arg->op == OCI_SECCOMP_MASKED_EQ);
}

CASE(types_are_checked) {
    CHECK_STR(complaint("{'root':{'path':'r'}}"), "config.json: ociVersion: expected a string, found nothing");
    CHECK_STR(complaint("{'ociVersion':'1.0.0'}"), "config.json: root: expected an object, found nothing");
    CHECK_STR(complaint("{'ociVersion':'1.0.0','root':{}}"), "config.json: root.path: expected a string, found nothing");
    CHECK_STR(complaint("{]"), "config.json: line 1, column 2: string or '}' expected near ']'");
    CHECK_STR(root_complaint("'process':{'cwd':'/','args':7}"),
              "config.json: process.args: expected an array of strings, found a number");
    CHECK_STR(
        root_complaint("'linux':{'namespaces':[{'type':'pid'},{'type':'mnt'}]}"),
        "config.json: linux.namespaces[1].type: expected one of cgroup, ipc, mount, network, pid, time, user, uts, found \"mnt\"");
    CHECK_STR(root_complaint("'linux':{'netDevices':{'eth0':{'name':23}}}"),
              "config.json: linux.netDevices.eth0.name: expected a string, found a number");
    CHECK_STR(root_complaint("'linux':{'resources':{'rdma':{'mlx5_1':{'hcaHandles':'not a uint32'}}}}"),
              "config.json: linux.resources.rdma.mlx5_1.hcaHandles: expected an integer, found a string");
    CHECK_STR(root_complaint("'linux':{'resources':{'pids':{}}}"),
              "config.json: linux.resources.pids.limit: expected an integer, found nothing");
    CHECK_STR(process_complaint(",'rlimits':[{'type':'RLIMIT_X','soft':1,'hard':1}]"),
              "config.json: process.rlimits[0].type: expected the name of a resource limit like RLIMIT_NOFILE, found \"RLIMIT_X\"");
    CHECK_STR(root_complaint("'process':{'cwd':'/','args':[]}"), "config.json: process.args: must not be empty");
}

CASE(sense_of_the_process_is_checked) {
    CHECK_STR(complaint("{'ociVersion':'2.0.0','root':{'path':'r'}}"),
              "config.json: ociVersion: expected version 1.x, found \"2.0.0\"");
    CHECK_STR(root_complaint("'process':{'cwd':'/','args':['']}"), "config.json: process.args[0]: must not be empty");
    CHECK_STR(root_complaint("'process':{'cwd':'a\\nb','args':['x']}"),
              "config.json: process.cwd: expected an absolute path, found \"a?b\"");
    CHECK_STR(process_complaint(",'rlimits':[{'type':'RLIMIT_CORE','soft':1,'hard':1},{'type':'RLIMIT_CORE','soft':1,'hard':1}]"),
              "config.json: process.rlimits[1].type: RLIMIT_CORE is limited already");
    CHECK_STR(process_complaint(",'rlimits':[{'type':'RLIMIT_CORE','soft':2,'hard':1}]"),
              "config.json: process.rlimits[0]: the soft limit of RLIMIT_CORE, 2, is above the hard one, 1");
    CHECK_STR(process_complaint(",'oomScoreAdj':1001"),
              "config.json: process.oomScoreAdj: expected an integer from -1000 to 1000, found 1001");
    CHECK_STR(process_complaint(",'execCPUAffinity':{'final':'a'}"),
              "config.json: process.execCPUAffinity.final: expected a list of processors like 0-3,7, found \"a\"");
    CHECK_STR(process_complaint(",'ioPriority':{'class':'IOPRIO_CLASS_RT','priority':8}"),
              "config.json: process.ioPriority.priority: expected an integer from 0 to 7, found 8");
}

CASE(sense_of_mounts_and_hooks_is_checked) {
    CHECK_STR(root_complaint("'mounts':[{}]"), "config.json: mounts[0].destination: expected a string, found nothing");
    CHECK_STR(root_complaint("'mounts':[{'destination':''}]"), "config.json: mounts[0].destination: must not be empty");
    CHECK_STR(root_complaint("'mounts':[{'destination':'/a','gidMappings':[{'containerID':0,'hostID':0,'size':1}]}]"),
              "config.json: mounts[0].gidMappings: needs uidMappings beside it");
    CHECK_STR(root_complaint("'hooks':{'prestart':[{'path':'x'}]}"),
              "config.json: hooks.prestart[0].path: expected an absolute path, found \"x\"");
    CHECK_STR(root_complaint("'hooks':{'poststart':[{'path':'/x','timeout':0}]}"),
              "config.json: hooks.poststart[0].timeout: expected seconds above 0, found 0");
    CHECK_STR(root_complaint("'hostname':'h'"),
              "config.json: hostname: needs a namespace of type uts, or it would change the host");
    CHECK_STR(root_complaint("'annotations':{'':'x'}"), "config.json: annotations: names must not be empty");
}

CASE(sense_of_the_linux_section_is_checked) {
    CHECK_STR(root_complaint("'linux':{'namespaces':[{'type':'pid'},{'type':'pid'}]}"),
              "config.json: linux.namespaces[1].type: pid is listed already");
    CHECK_STR(root_complaint("'linux':{'namespaces':[{'type':'pid','path':'p'}]}"),
              "config.json: linux.namespaces[0].path: expected an absolute path, found \"p\"");
    CHECK_STR(root_complaint("'linux':{'uidMappings':[{'containerID':0,'hostID':1,'size':1}]}"),
              "config.json: linux.uidMappings: needs a namespace of type user");
    CHECK_STR(linux_complaint("'uidMappings':[{'containerID':0,'hostID':0,'size':0}]"),
              "config.json: linux.uidMappings[0].size: must not be 0");
    CHECK_STR(linux_complaint("'gidMappings':[{'containerID':0,'hostID':5,'size':9},{'containerID':8,'hostID':100,'size':1}]"),
              "config.json: linux.gidMappings[1]: overlaps gidMappings[0]");
    CHECK_STR(linux_complaint("'gidMappings':[{'containerID':1,'hostID':5,'size':4294967295}]"),
              "config.json: linux.gidMappings[0]: the range goes beyond the highest id");
    CHECK_STR(process_complaint(",'scheduler':{'policy':'SCHED_OTHER','nice':-21}"),
              "config.json: process.scheduler.nice: expected an integer from -20 to 19, found -21");
    CHECK_STR(process_complaint(",'scheduler':{'policy':'SCHED_FIFO','priority':100}"),
              "config.json: process.scheduler.priority: expected an integer from 1 to 99, found 100");
    CHECK_STR(process_complaint(",'scheduler':{'policy':'SCHED_BATCH','period':1}"),
              "config.json: process.scheduler: runtime, deadline and period are for SCHED_DEADLINE alone");
    CHECK_STR(root_complaint("'linux':{'timeOffsets':{'monotonic':{'secs':1}}}"),
              "config.json: linux.timeOffsets: needs a new namespace of type time; the clocks of the host cannot be set");
    CHECK_STR(linux_complaint("'devices':[{'path':'dev/x','type':'p'}]"),
              "config.json: linux.devices[0].path: expected an absolute path, found \"dev/x\"");
    CHECK_STR(linux_complaint("'devices':[{'path':'/dev/x','type':'c','fileMode':8630}]"), "");
    CHECK_STR(linux_complaint("'devices':[{'path':'/dev/x','type':'b','fileMode':8630}]"),
              "config.json: linux.devices[0].fileMode: expected an integer from 0 to 4095, with the bits of its type or without, found "
              "8630");
    CHECK_STR(linux_complaint("'netDevices':{'a/b':{}}"),
              "config.json: linux.netDevices: expected names of network interfaces, found \"a/b\"");
    CHECK_STR(root_complaint("'linux':{'netDevices':{'eth0':{}}}"),
              "config.json: linux.netDevices: needs a namespace of type network, or it would change the host");
    CHECK_STR(linux_complaint("'maskedPaths':['/a','b']"),
              "config.json: linux.maskedPaths[1]: expected an absolute path, found \"b\"");
    CHECK_STR(linux_complaint("'personality':{'domain':'LINUX','flags':['X']}"),
              "config.json: linux.personality.flags: expected none, as the specification has none, found \"X\"");
    CHECK_STR(linux_complaint("'intelRdt':{'closID':'../x'}"),
              "config.json: linux.intelRdt.closID: expected a name of at most 255 bytes without slashes, found \"../x\"");
    CHECK_STR(linux_complaint("'intelRdt':{'memBwSchema':'L3:x'}"),
              "config.json: linux.intelRdt.memBwSchema: expected one line that begins with MB:, found \"L3:x\"");
}

CASE(sysctls_of_the_host_are_refused) {
    CHECK_STR(linux_complaint("'sysctl':{'net.ipv4.ip_forward':'1','kernel.sem':'1'}"), "");
    CHECK_STR(linux_complaint("'sysctl':{'vm.swappiness':'1'}"),
              "config.json: linux.sysctl: vm/swappiness belongs to no namespace, so it would change the host");
    CHECK_STR(linux_complaint("'sysctl':{'kernel.shmmax2':'1'}"),
              "config.json: linux.sysctl: kernel/shmmax2 belongs to no namespace, so it would change the host");
    CHECK_STR(linux_complaint("'sysctl':{'kernel.domainname':'1'}"),
              "config.json: linux.sysctl: kernel/domainname needs a namespace of type uts, or it would change the host");
    CHECK_STR(linux_complaint("'sysctl':{'net/../kernel/core_pattern':'1'}"),
              "config.json: linux.sysctl: expected names like net.ipv4.ip_forward, found \"net/../kernel/core_pattern\"");
    CHECK_STR(linux_complaint("'sysctl':{'net.//.kernel.core_pattern':'1'}"),
              "config.json: linux.sysctl: expected names like net.ipv4.ip_forward, found \"net/../kernel/core_pattern\"");
    CHECK_STR(linux_complaint("'sysctl':{'net.':'1'}"),
              "config.json: linux.sysctl: expected names like net.ipv4.ip_forward, found \"net/\"");
}

CASE(sense_of_resources_is_checked) {
    CHECK_STR(linux_complaint("'resources':{'hugepageLimits':[{'limit':1234123,'pageSize':'64kB'}]}"),
              "config.json: linux.resources.hugepageLimits[0].pageSize: expected a size like 2MB, found \"64kB\"");
    CHECK_STR(linux_complaint("'resources':{'hugepageLimits':[{'limit':1,'pageSize':'2MB'},{'limit':1,'pageSize':'2MB'}]}"),
              "config.json: linux.resources.hugepageLimits[1].pageSize: 2MB has a limit already");
    CHECK_STR(linux_complaint("'resources':{'devices':[{'allow':true,'access':'rx'}]}"),
              "config.json: linux.resources.devices[0].access: expected some of the letters r, w and m, found \"rx\"");
    CHECK_STR(linux_complaint("'resources':{'memory':{'swappiness':101}}"),
              "config.json: linux.resources.memory.swappiness: expected an integer from 0 to 100, found 101");
    CHECK_STR(linux_complaint("'resources':{'memory':{'swap':5,'limit':6}}"),
              "config.json: linux.resources.memory.swap: 5 is less than memory.limit, 6, which it includes");
    CHECK_STR(linux_complaint("'resources':{'cpu':{'quota':5,'burst':6}}"),
              "config.json: linux.resources.cpu.burst: 6 is more than cpu.quota, 5");
    CHECK_STR(linux_complaint("'resources':{'cpu':{'idle':2}}"), "config.json: linux.resources.cpu.idle: expected 0 or 1, found 2");
    CHECK_STR(linux_complaint("'resources':{'unified':{'../x':'1'}}"),
              "config.json: linux.resources.unified: expected names of cgroup files like memory.high, found \"../x\"");
    CHECK_STR(linux_complaint("'resources':{'blockIO':{'weight':65536}}"),
              "config.json: linux.resources.blockIO.weight: expected an integer from 0 to 65535, found 65536");
}

CASE(sense_of_seccomp_is_checked) {
    CHECK_STR(linux_complaint("'seccomp':{'defaultAction':'SCMP_ACT_ALLOW','defaultErrnoRet':1}"),
              "config.json: linux.seccomp.defaultErrnoRet: only SCMP_ACT_ERRNO and SCMP_ACT_TRACE return an error number, found "
              "SCMP_ACT_ALLOW");
    CHECK_STR(linux_complaint("'seccomp':{'defaultAction':'SCMP_ACT_ALLOW','listenerMetadata':'x'}"),
              "config.json: linux.seccomp.listenerMetadata: needs a listenerPath");
    CHECK_STR(linux_complaint("'seccomp':{'defaultAction':'SCMP_ACT_NOTIFY'}"),
              "config.json: linux.seccomp.defaultAction: SCMP_ACT_NOTIFY needs a listenerPath");
    CHECK_STR(linux_complaint("'seccomp':{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':[],'action':'SCMP_ACT_LOG'}]}"),
              "config.json: linux.seccomp.syscalls[0].names: must not be empty");
    CHECK_STR(linux_complaint(
                  "'seccomp':{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['a'],'action':'SCMP_ACT_LOG','errnoRet':1}]}"),
              "config.json: linux.seccomp.syscalls[0].errnoRet: only SCMP_ACT_ERRNO and SCMP_ACT_TRACE return an error number, "
              "found SCMP_ACT_LOG");
    CHECK_STR(
        linux_complaint(
            "'seccomp':{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['a'],'action':'SCMP_ACT_ERRNO','errnoRet':4096}]}"),
        "config.json: linux.seccomp.syscalls[0].errnoRet: expected an integer from 0 to 4095, found 4096");
    CHECK_STR(
        linux_complaint("'seccomp':{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['a'],'action':'SCMP_ACT_NOTIFY'}]}"),
        "config.json: linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY needs a listenerPath");
    CHECK_STR(linux_complaint("'seccomp':{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['a'],'action':'SCMP_ACT_LOG',"
                              "'args':[{'index':6,'value':0,'op':'SCMP_CMP_EQ'}]}]}"),
              "config.json: linux.seccomp.syscalls[0].args[0].index: expected an integer from 0 to 5, found 6");
}

CASE(parts_are_documents_too) {
    AUTO_ARENA struct arena arena = {0};
    struct err err = {0};
    const struct json_document process = {.name = "p.json", .text = "{\"cwd\":\"/\",\"args\":[\"\"]}", .size = 23};
    const struct json_document resources = {.name = "r.json", .text = "{\"cpu\":{\"idle\":9}}", .size = 18};
    struct oci_process *ret_process = NULL;
    struct oci_resources *ret_resources = NULL;
    CHECK_INT(oci_process_decode(&process, &arena, &ret_process, &err), -1);
    CHECK_STR(err.text, "p.json: args[0]: must not be empty");
    CHECK_INT(oci_resources_decode(&resources, &arena, &ret_resources, &err), -1);
    CHECK_STR(err.text, "r.json: cpu.idle: expected 0 or 1, found 9");
}

CASE(lists_of_mounts_are_documents_too) {
    static const char *const texts[] = {"[{\"destination\":\"/a\",\"type\":\"\",\"options\":[\"ro\"]}]",
                                        "{\"mounts\":[{\"destination\":\"/a\",\"source\":\"\",\"options\":[\"ro\"]}],\"root\":5}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct err err = {0};
        struct oci_mount_list list = {0};
        const struct json_document document = {.name = "m.json", .text = texts[i], .size = strlen(texts[i])};
        CHECK_INT(oci_mounts_decode(&document, &arena, &list, &err), 0);
        CHECK(list.mounts_count == 1 && !list.mounts[0].type && !list.mounts[0].source && list.mounts[0].options_count == 1);
        CHECK_STR(list.mounts[0].destination, "/a");
    }
    static const struct {
        const char *text, *message;
    } wrong[] = {
        {"[{\"destination\":\"\"}]", "m.json: mounts[0].destination: must not be empty"},
        {"{\"mounts\":{}}", "m.json: mounts: expected an array of objects, found an object"},
        {"[{\"destination\":\"/a\"},{\"destination\":\"/b\",\"gidMappings\":[{\"containerID\":0,\"hostID\":0,\"size\":1}]}]",
         "m.json: mounts[1].gidMappings: needs uidMappings beside it"},
    };
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO_ARENA struct arena arena = {0};
        struct err err = {0};
        struct oci_mount_list list = {0};
        const struct json_document document = {.name = "m.json", .text = wrong[i].text, .size = strlen(wrong[i].text)};
        CHECK_INT(oci_mounts_decode(&document, &arena, &list, &err), -1);
        CHECK_STR(err.text, wrong[i].message);
    }
}

int main(void) {
    RUN(minimal_documents_are_enough);
    RUN(the_process_is_decoded_whole);
    RUN(the_linux_section_is_decoded_whole);
    RUN(seccomp_is_decoded);
    RUN(types_are_checked);
    RUN(sense_of_the_process_is_checked);
    RUN(sense_of_mounts_and_hooks_is_checked);
    RUN(sense_of_the_linux_section_is_checked);
    RUN(sysctls_of_the_host_are_refused);
    RUN(sense_of_resources_is_checked);
    RUN(sense_of_seccomp_is_checked);
    RUN(parts_are_documents_too);
    RUN(lists_of_mounts_are_documents_too);
    return check_done();
}
