#!/usr/bin/python3
"""engine_kills.py COFFER FOLDER KILLS [SEED]: commands of the engine and monitors, killed at random moments.

Runs in a network and a mount namespace of its own. Every few kills `coffer system repair` is called, and then nothing may be there that
does not belong to a container that runs: mounts, cgroups, processes, interfaces, published ports, addresses, names, ids, folders.
"""
import json
import os
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import time

COFFER, FOLDER, KILLS = sys.argv[1], sys.argv[2], int(sys.argv[3])
SEED = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 30)
ROOT, STORE = FOLDER + '/run', FOLDER + '/store'
PARENT = 'fault-%d' % os.getpid()
BATCH = 5
LEAST_MS = 40
IMAGE = 'tiny'
GLOBAL = [COFFER, '--root', ROOT, '--store', STORE]
rng = random.Random(SEED)
said = []


def quiet(*args, ok=(0,), wait_s=60):
    end = subprocess.run(['timeout', '-k', '2', str(wait_s), *GLOBAL, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    if ok and end.returncode not in ok:
        sys.exit('seed %d: coffer %s: exit %d\n%s' % (SEED, ' '.join(args), end.returncode, end.stderr))
    return end.stdout


def containers():
    rows = [json.loads(line) for line in quiet('ps', '-a', '--no-trunc', '--format', 'json').splitlines()]
    return {row['ID']: row for row in rows}


def names():
    return [row['Names'] for row in containers().values()]


def run_options():
    options = ['--network', rng.choice(['bridge', 'one']), '--cgroup-parent', PARENT, '-v', 'kept:/kept', '-v', '/passing']
    if rng.random() < 0.6:
        options += ['-p', '80']
    if rng.random() < 0.3:
        options += ['--restart', 'on-failure:2']
    elif rng.random() < 0.5:
        options += ['--rm']
    return options


def wish():
    """One command, as its arguments."""
    there = names()
    new = 'c%d' % rng.randrange(1 << 30)
    kind = rng.choice(['run', 'run', 'run', 'once', 'create', 'start', 'stop', 'restart', 'rm', 'rm', 'network', 'network rm', 'connect'])
    if kind == 'run' or (kind in ('start', 'stop', 'restart', 'rm', 'connect') and not there):
        return ['run', '-d', '--name', new, *run_options(), IMAGE, 'sleep', '1000']
    if kind == 'once':
        return ['run', '--name', new, *run_options(), IMAGE, 'true']
    if kind == 'create':
        return ['create', '--name', new, '--network', 'one', '--cgroup-parent', PARENT, '-v', '/passing', IMAGE, 'sleep', '1000']
    if kind == 'start':
        return ['start', rng.choice(there)]
    if kind in ('stop', 'restart'):
        return [kind, '-t', '0', rng.choice(there)]
    if kind == 'rm':
        return ['rm', '-f', '-v', rng.choice(there)]
    if kind == 'network':
        return ['network', 'create', 'n%d' % rng.randrange(4)]
    if kind == 'network rm':
        return ['network', 'rm', 'n%d' % rng.randrange(4)]
    return ['network', rng.choice(['connect', 'disconnect']), rng.choice(['one', 'bridge']), rng.choice(there)]


def processes():
    """Those that bear our folder in their arguments, but this one: {pid: (name, arguments)}."""
    found = {}
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open('/proc/%s/cmdline' % pid, 'rb') as file:
                line = file.read().replace(b'\0', b' ').decode(errors='replace')
            with open('/proc/%s/comm' % pid) as file:
                name = file.read().strip()
            with open('/proc/%s/stat' % pid) as file:
                state = file.read().rsplit(')', 1)[1].split()[0]
        except OSError:
            continue
        if FOLDER in line and int(pid) != os.getpid() and state != 'Z' and 'python' not in name and name not in ('bats', 'bash', 'timeout'):
            found[int(pid)] = (name, line)
    return found


def monitors():
    return [pid for pid, (name, _) in processes().items() if name == 'coffer-monitor']


def kill(pid):
    """What is dying has its locks for a moment still."""
    try:
        pidfd = os.pidfd_open(pid)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        select.select([pidfd], [], [], 10)
        os.close(pidfd)
    except ProcessLookupError:
        pass


def run_ms():
    """How long the longest of the commands takes: on an emulated host, too, a kill may meet it at any moment."""
    begin = time.monotonic()
    quiet('run', '--name', 'first', '--rm', '--network', 'one', '-p', '80', '-v', '/passing', IMAGE, 'true')
    return max(LEAST_MS, (time.monotonic() - begin) * 1000)


def one_kill(most_ms):
    arguments = wish()
    victim = rng.choice(['command', 'command', 'monitor', 'both'])
    said.append('%s: %s' % (victim, ' '.join(arguments)))
    job = subprocess.Popen(GLOBAL + arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(rng.uniform(0, most_ms) / 1000)
    if victim != 'command':
        there = monitors()
        if there:
            kill(max(there) if rng.random() < 0.5 else rng.choice(there))
    if victim != 'monitor':
        kill(job.pid)
    try:
        job.wait(20)
    except subprocess.TimeoutExpired:
        kill(job.pid)
        sys.exit('seed %d: hangs: %s' % (SEED, said[-1]))


def listed(path):
    try:
        return [name for name in os.listdir(path) if not name.startswith('.')]
    except FileNotFoundError:
        return []


def cgroups():
    found = []
    for top in listed('/sys/fs/cgroup') + ['.']:
        path = os.path.join('/sys/fs/cgroup', top, PARENT)
        for folder, _, _ in os.walk(path):
            if folder != path:
                found.append(folder)
    return found


def leaks():
    """What should not be there, one line each."""
    all_there = containers()
    running = {key for key, row in all_there.items() if row['State'] in ('running', 'restarting', 'paused')}
    found = []

    def expect(what, there, allowed):
        found.extend('%s: %s' % (what, one) for one in there if one not in allowed)

    expect('container folder', listed(STORE + '/containers'), all_there)
    expect('name', listed(STORE + '/names'), {row['Names'] for row in all_there.values()})
    if len(listed(STORE + '/ids')) != len(all_there):
        found.append('ids: %d ranges for %d containers' % (len(listed(STORE + '/ids')), len(all_there)))
    expect('staging', os.listdir(STORE + '/staging') if os.path.exists(STORE + '/staging') else [], ())
    expect('volume', [n for n in os.listdir(STORE + '/volumes') if n.startswith('.')], ())
    for live in listed(ROOT + '/containers'):
        expect('run-time folder', listed(os.path.join(ROOT, 'containers', live)), running)
    expect('low-level state', listed(ROOT + '/oci'), running)
    expect('pending note', [n for n in (os.listdir(ROOT + '/oci/.pending') if os.path.exists(ROOT + '/oci/.pending') else [])
                            if n.split(',')[0] not in running], ())
    expect('cgroup', [path for path in cgroups() if not any(key in path for key in running)], ())
    leases = 0
    for network in listed(STORE + '/networks'):
        if len(network) == 64:
            expect('endpoint', listed('%s/networks/%s/endpoints' % (STORE, network)), running)
            leases += len(listed('%s/networks/%s/leases' % (STORE, network)))
    if leases > 2 * len(running):
        found.append('leases: %d for %d that run' % (leases, len(running)))
    interfaces = re.findall(r'^\d+: (cv-[^@:]+)', subprocess.run(['ip', '-o', 'link'], stdout=subprocess.PIPE, text=True).stdout, re.M)
    expect('interface', [name for name in interfaces if not any(key.startswith(name[3:]) for key in running)], ())
    rules = subprocess.run(['nft', 'list', 'ruleset'], stdout=subprocess.PIPE, text=True).stdout
    expect('published port of', set(re.findall(r'comment "([0-9a-f]{64})', rules)), running)
    with open('/proc/self/mountinfo') as file:
        expect('mount', [line.split()[4] for line in file if FOLDER in line], ())
    watching = monitors()
    if len(watching) != len(running):
        found.append('%d monitors for %d that run' % (len(watching), len(running)))
    expect('process', ['%d %s %s' % (pid, *what) for pid, what in processes().items() if pid not in watching], ())
    return found


def check(when):
    """What the kernel takes away takes its time."""
    found = []
    for _ in range(100):
        found = leaks()
        if not found:
            return
        time.sleep(0.05)
    print('seed %d, %s; the last commands:\n  %s\nleft behind:\n  %s' % (SEED, when, '\n  '.join(said[-2 * BATCH:]), '\n  '.join(found)))
    os.system('cd %s && ps -ef | grep -F %s | grep -v grep' % (FOLDER, FOLDER))
    sys.exit(1)


def clear():
    """One that a killed command has told to go may go by itself."""
    while names():
        for name in names():
            quiet('rm', '-f', '-v', name, ok=None)


def main():
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    quiet('network', 'create', 'one')
    most_ms = run_ms()
    for number in range(1, KILLS + 1):
        one_kill(most_ms)
        if number % BATCH == 0 or number == KILLS:
            quiet('system', 'repair')
            again = quiet('system', 'repair', '--format', '{{.Kind}} {{.Name}} {{.Action}}')
            if again:
                sys.exit('seed %d: a second repair finds more: %s' % (SEED, again))
            check('after %d kills' % number)
            if len(names()) > 8:
                clear()
    clear()
    quiet('system', 'repair')
    check('at the end')
    for name in ['one', 'n0', 'n1', 'n2', 'n3', 'bridge']:
        quiet('network', 'rm', '-f', name)
    left = quiet('volume', 'ls', '-q').split()
    if [name for name in left if name != 'kept']:
        sys.exit('seed %d: volumes of containers that are gone: %s' % (SEED, left))
    shutil.rmtree(STORE, ignore_errors=True)


try:
    main()
finally:
    for victim in processes():
        kill(victim)
    # Who was killed is in his group for a moment more.
    tops = [os.path.join('/sys/fs/cgroup', top, PARENT) for top in listed('/sys/fs/cgroup') + ['.']]
    for _ in range(100):
        for group in sorted(cgroups(), key=len, reverse=True) + tops:
            try:
                os.rmdir(group)
            except OSError:
                pass
        if not any(os.path.isdir(top) for top in tops):
            break
        time.sleep(0.03)
