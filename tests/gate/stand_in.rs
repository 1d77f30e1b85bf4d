//! The other processes of the gate's tests: one that plays Picket, so that it can be killed, and
//! one that plays a plugin that tries to get out.
//!
//! `picket-stand-in picket LAUNCHER ORPHAN_MS STAGE PROGRAM [ARG…]` starts the program in a
//! sandbox (STAGE `running`) or leaves it frozen at the gate (STAGE `gate`), says on standard error
//! what it has made, and stays until the program ends or somebody kills it.
//! `picket-stand-in intruder CGROUP…` tries everything it should not be able to do, one line each.
//! `picket-stand-in identity` says who and where it is.
//! `picket-stand-in wait` waits until its standard input ends.
//! `picket-stand-in visit ADDRESS` connects there.
//! `picket-stand-in call NUMBER…` makes these system calls and says what came of each.
#![expect(unsafe_code, reason = "an intruder uses system calls that std does not have")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is how it reports")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "half of a test: what it cannot do must fail loudly"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ffi::{CString, OsString, c_long};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use picket::supervisor::{
    CapabilitySet, CgroupRoot, Confinement, Deadlines, LaunchSpec, LauncherProgram,
    PassedDescriptor, Ready, Sandbox, hide_memory, inspect, launch, start_gated,
};

fn main() {
    let mut arguments = env::args_os().skip(1);
    let role = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    match role.to_str() {
        Some("picket") => play_picket(&rest),
        Some("intruder") => intrude(&rest),
        Some("identity") => identify(),
        Some("wait") => wait_for_ever(),
        Some("visit") => visit(&rest),
        Some("call") => make_calls(&rest),
        _ => panic!("no such role: {role:?}"),
    }
}

fn play_picket(arguments: &[OsString]) {
    let [launcher, orphan, stage, plugin @ ..] = arguments else { panic!("see the module") };
    let orphan = orphan.to_str().and_then(|text| text.parse().ok()).expect("milliseconds");
    let spec = LaunchSpec {
        launcher: LauncherProgram { path: launcher.into(), arguments: vec!["__launch".into()] },
        program: plugin.first().expect("a program").into(),
        arguments: plugin.to_vec(),
        environment: vec![("DECLARED".into(), "yes".into())],
        working_directory: "/".into(),
        descriptors: [0, 1].map(|number| PassedDescriptor::inherited(number).unwrap()).into(),
        capabilities: CapabilitySet::EMPTY,
        confinement: Confinement::Standard,
        wall: None,
        deadlines: Deadlines { orphan: Duration::from_millis(orphan), ..Deadlines::STANDARD },
    };
    // As Picket does, so that what hiding breaks is broken here too.
    hide_memory().unwrap();
    let root = CgroupRoot::find().unwrap();
    let sandbox = Sandbox::create(&root, "stand-in").unwrap();
    let path = sandbox.path().to_owned();
    let announce = |child: u32, launcher: u32| eprintln!("{} {child} {launcher}", path.display());
    if stage == "gate" {
        let frozen = launch(sandbox, &spec).unwrap();
        let (child, launcher) = (frozen.pid(), frozen.launcher_pid());
        let _inspected = inspect(frozen, &spec).unwrap();
        announce(child, launcher);
        return wait_for_ever();
    }
    let ready =
        |info: &picket::supervisor::FrozenInfo| Ok::<_, String>(Ready { nonce: info.nonce });
    let mut running = start_gated(sandbox, &spec, ready).unwrap();
    announce(running.pid(), running.launcher_pid());
    let deadline = Instant::now() + Duration::from_hours(1);
    running.wait_notice(deadline).unwrap();
}

/// Until it is killed, or until whoever started it closes its standard input.
fn wait_for_ever() {
    io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

fn visit(arguments: &[OsString]) {
    let address = arguments.first().and_then(|text| text.to_str()).expect("an address");
    TcpStream::connect(address).unwrap();
}

/// Each with six arguments; what came of it is its error number.
fn make_calls(numbers: &[OsString]) {
    extern "C" fn nothing(_signal: libc::c_int) {}
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGUSR1, nothing as *const () as libc::sighandler_t) };
    for number in numbers {
        let number: c_long = number.to_str().and_then(|text| text.parse().ok()).expect("a number");
        // As wide as a register: of a narrower last one the rest would be what is on the stack.
        let [a, b, c, d, e, f] = [11_u64, 12, 13, 14, 15, 16];
        // SAFETY: small numbers; no call that a test makes takes one of them for a pointer.
        let outcome = unsafe { libc::syscall(number, a, b, c, d, e, f) };
        let error = if outcome < 0 { io::Error::last_os_error().raw_os_error() } else { None };
        print!("{} ", error.unwrap_or(0));
        io::stdout().flush().unwrap();
    }
}

/// Who this plugin is, as far as it can tell.
fn identify() {
    for (name, value) in env::vars_os() {
        println!("environment {}={}", name.display(), value.display());
    }
    println!("directory {}", env::current_dir().unwrap().display());
    let own = fs::read_dir("/proc/self/fd").unwrap();
    let mut descriptors: Vec<RawFd> =
        own.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    descriptors.sort_unstable();
    // The last one is the listing's own.
    descriptors.pop();
    println!("descriptors {descriptors:?}");
    let status = fs::read_to_string("/proc/self/status").unwrap();
    for line in status.lines() {
        let (name, value) = line.split_once(':').unwrap();
        if ["Cap", "Sig", "NoNew", "Uid"].iter().any(|known| name.starts_with(known)) {
            println!("{name} {}", value.trim());
        }
    }
    let group = fs::read_to_string("/proc/self/stat").unwrap();
    println!("terminal {}", group.rsplit(')').next().unwrap().split(' ').nth(5).unwrap());
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let files: BTreeSet<&str> =
        maps.lines().filter_map(|line| line.find('/').map(|at| &line[at..])).collect();
    files.iter().for_each(|file| println!("mapped {file}"));
    println!("mapping descriptor 9: {}", map(9));
}

/// What comes of mapping what is behind a descriptor.
fn map(descriptor: RawFd) -> String {
    // SAFETY: a new mapping at an address of the kernel's choice; nothing of ours lies there.
    let address = unsafe {
        libc::mmap(std::ptr::null_mut(), 1, libc::PROT_READ, libc::MAP_PRIVATE, descriptor, 0)
    };
    if address != libc::MAP_FAILED {
        return "mapped".to_owned();
    }
    match io::Error::last_os_error().raw_os_error() {
        Some(libc::EBADF) => "EBADF".to_owned(),
        other => format!("{other:?}"),
    }
}

/// Every attempt and what came of it.
fn intrude(cgroups: &[OsString]) {
    let guard = parent_id();
    let picket = parent_of(guard);
    let mut attempts: BTreeMap<String, io::Result<()>> = BTreeMap::new();
    let mut attempt = |name: String, outcome: io::Result<()>| {
        attempts.insert(name, outcome);
    };
    for (who, pid) in [("launcher", guard), ("picket", picket)] {
        let proc = PathBuf::from(format!("/proc/{pid}"));
        attempt(format!("{who}: read its memory"), fs::File::open(proc.join("mem")).map(drop));
        attempt(format!("{who}: read its environment"), fs::read(proc.join("environ")).map(drop));
        attempt(format!("{who}: see its descriptors"), see_descriptors(&proc));
        attempt(format!("{who}: enter its root"), fs::read_dir(proc.join("root")).map(drop));
        attempt(format!("{who}: trace it"), seize(pid));
        attempt(format!("{who}: take its descriptor"), take_descriptor(pid));
    }
    // Not Picket: sharing its user, a plugin may signal it, and is frozen by the launcher then.
    attempt("launcher: signal it".to_owned(), signal(guard));
    for (index, path) in cgroups.iter().map(Path::new).enumerate() {
        for file in ["cgroup.procs", "cgroup.freeze", "cgroup.kill", "cgroup.subtree_control"] {
            attempt(format!("cgroup {index}: write {file}"), open_to_write(&path.join(file)));
        }
        attempt(format!("cgroup {index}: make a child"), fs::create_dir(path.join("child")));
    }
    // The first is Picket's root, which shows the sandbox itself: no other cgroup has a name here.
    for (index, path) in cgroups.iter().map(Path::new).enumerate().skip(1) {
        attempt(format!("cgroup {index}: clone into it"), clone_into(path));
    }
    for line in fs::read_to_string("/proc/self/mountinfo").unwrap().lines() {
        let point = Path::new(line.split(' ').nth(4).unwrap());
        if line.contains(" - cgroup ") {
            let tasks = point.join("cgroup.procs");
            attempt(format!("old hierarchy {}", point.display()), open_to_write(&tasks));
        }
    }
    for control in
        ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/mm/ksm/run"]
            .map(Path::new)
            .into_iter()
            .filter(|control| control.exists())
    {
        attempt(format!("write {}", control.display()), open_to_write(control));
    }
    attempt("open the terminal".to_owned(), open_to_write(Path::new("/dev/tty")));
    let mount = Path::new(cgroups.first().expect("a cgroup mount"));
    attempt("remount writable".to_owned(), remount_writable(mount));
    attempt("uncover".to_owned(), unmount(mount));
    // Last: from here on with every capability, but over namespaces of its own only.
    let namespaces = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWCGROUP;
    // SAFETY: touches no memory.
    let own_user = unsafe { libc::unshare(namespaces) };
    if own_user == 0 {
        attempt("own user namespace: remount writable".to_owned(), remount_writable(mount));
        attempt("own user namespace: uncover".to_owned(), unmount(mount));
        attempt("own user namespace: trace the launcher".to_owned(), seize(guard));
        // It may mount the cgroup tree anew, and then sees it from its own cgroup down.
        let anew = mount_cgroups(Path::new("/tmp"));
        let above = anew.and_then(|()| fs::metadata("/tmp/picket").map(drop));
        attempt("own user namespace: see the tree from above".to_owned(), above);
    }
    for (name, outcome) in attempts {
        match outcome {
            Ok(()) => println!("DONE {name}"),
            Err(error) => println!("refused {name}: {error}"),
        }
    }
}

fn parent_of(pid: u32) -> u32 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
    line.trim().parse().unwrap()
}

fn open_to_write(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).open(path).map(drop)
}

fn outcome(result: c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn seize(pid: u32) -> io::Result<()> {
    // SAFETY: seizing reads no memory of ours.
    outcome(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid.cast_signed(), 0, 0) })
}

/// What is behind one of them, that is: their numbers anybody of the same user may list.
fn see_descriptors(proc: &Path) -> io::Result<()> {
    let mut entries = fs::read_dir(proc.join("fd"))?;
    entries.try_for_each(|entry| fs::read_link(entry?.path()).map(drop))
}

fn take_descriptor(pid: u32) -> io::Result<()> {
    // SAFETY: touches no memory.
    let process = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    outcome(process)?;
    // SAFETY: touches no memory.
    outcome(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process, 0, 0) })
}

fn signal(pid: u32) -> io::Result<()> {
    // SAFETY: touches no memory. Signal 0 asks for permission only.
    outcome(c_long::from(unsafe { libc::kill(pid.cast_signed(), 0) }))
}

fn clone_into(cgroup: &Path) -> io::Result<()> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let directory = fs::File::open(cgroup)?;
    let mut arguments = [0_u64; 11];
    arguments[0] = CLONE_INTO_CGROUP;
    arguments[4] = u64::from(libc::SIGCHLD.unsigned_abs());
    arguments[10] = u64::from(directory.as_raw_fd().unsigned_abs());
    // SAFETY: the array has the layout of `clone_args`; as after fork, the child has its own copy.
    let child = unsafe { libc::syscall(libc::SYS_clone3, arguments.as_ptr(), 88) };
    if child == 0 {
        // SAFETY: ends the child.
        unsafe { libc::_exit(0) };
    }
    outcome(child)
}

fn remount_writable(point: &Path) -> io::Result<()> {
    let point = CString::new(point.to_str().unwrap()).unwrap();
    let flags = libc::MS_REMOUNT | libc::MS_BIND;
    let nothing = std::ptr::null();
    // SAFETY: `point` is a C string; a remount of the flags reads nothing else.
    let result = unsafe { libc::mount(nothing, point.as_ptr(), nothing, flags, nothing.cast()) };
    outcome(c_long::from(result))
}

fn mount_cgroups(point: &Path) -> io::Result<()> {
    let point = CString::new(point.to_str().unwrap()).unwrap();
    let kind = c"cgroup2".as_ptr();
    // SAFETY: all three are C strings; there are no options.
    let result = unsafe { libc::mount(kind, point.as_ptr(), kind, 0, std::ptr::null()) };
    outcome(c_long::from(result))
}

fn unmount(point: &Path) -> io::Result<()> {
    let point = CString::new(point.to_str().unwrap()).unwrap();
    // SAFETY: `point` is a C string.
    outcome(c_long::from(unsafe { libc::umount2(point.as_ptr(), libc::MNT_DETACH) }))
}
