use picket_engine::{Arguments, FileOperation, ObservedArgv, Order, Reach, SandboxId};

use super::*;

const PID: u32 = 4_000;
const CHILD: u32 = 4_001;
const PORT: u16 = 40_000;
const LISTENS_AT: u16 = 41_000;
const PROGRAM: FileId = FileId { device: 8 << 20 | 1, inode: 77 };
const OTHER: FileId = FileId { device: 8 << 20 | 1, inode: 78 };
const PROCESSES: FileId = FileId { device: 26, inode: 79 };
const PLACE: &str = "/sys/fs/cgroup/self-test";
const SOCKET: &str = "canary";

fn expected_in(tier: Tier, round: Round) -> Expectations {
    let truth = Truth {
        pid: Some(PID),
        start_ticks: 123,
        program: PROGRAM,
        path: b"/bin/picket".to_vec(),
        arguments: b"/bin/picket\0__canary-child\0".to_vec(),
        home_cgroup: 9,
        place: PathBuf::from(PLACE),
        processes: PROCESSES,
        devices: [1, 2, 3, 4].map(|inode| Some(FileId { device: 5, inode })),
    };
    let told = Told {
        v4: true,
        v6: true,
        ports: [LISTENS_AT, LISTENS_AT + 1],
        refused: true,
        looked: true,
        ring: false,
        child: CHILD,
        opens: 0b1011,
        done: calls::Done { socket: calls::Asked::Refused, code: true, namespace: true },
    };
    let sight = Sight { tier, lacking: Vec::new(), refusals: false };
    let own = (round == Round::Next).then(std::process::id);
    Expectations::new(truth, told, PORT, &sight, round, objects::Expected::new(SOCKET, own))
}

fn expectations() -> Expectations {
    expected_in(Tier::Lsm, Round::First)
}

fn decoded(tgid: u32, fact: Fact) -> Decoded {
    let start = picket_engine::KernelTime::from_nanos(1_234_567_890);
    Decoded {
        hook: 0,
        sandbox: SandboxId { slot: 0, generation: 1 },
        order: Order::at(start),
        process: Process { tgid, tid: tgid, start },
        fact,
    }
}

/// By the canary's second thread.
fn second(record: Decoded) -> Decoded {
    let process = Process { tid: record.process.tid + 100, ..record.process };
    Decoded { process, ..record }
}

fn path(text: &str) -> ObservedPath {
    ObservedPath::Resolved(text.as_bytes().to_vec())
}

fn open(text: &str, file: FileId) -> Fact {
    Fact::Open { path: path(text), file, links: 1, access: AccessSet::READ }
}

fn exec(text: &str, file: FileId, arguments: &[u8]) -> Fact {
    let argv = ObservedArgv { bytes: arguments.to_vec(), complete: true };
    Fact::Exec { path: path(text), file, links: 1, script: None, argv }
}

fn network(operation: NetworkOperation, address: IpAddr, port: u16, refused: bool) -> Fact {
    Fact::Network { operation, protocol: 17, address, port, refused }
}

const ARGUMENTS: &[u8] = b"/bin/picket\0__canary-child\0";

fn everything() -> Vec<Decoded> {
    let v4 = IpAddr::from(Ipv4Addr::LOCALHOST);
    let v6 = IpAddr::from(Ipv6Addr::LOCALHOST);
    let left = Fact::Left { how: Departure::Migrated, cgroup: 9 };
    let facts = [
        Fact::Entered {},
        Fact::Syscall { number: 257, abi: SyscallAbi::Native, arguments: Arguments::NONE },
        open("/bin/picket", PROGRAM),
        Fact::Fork { child_tgid: CHILD, child_tid: CHILD },
        exec("/bin/picket", PROGRAM, ARGUMENTS),
        network(NetworkOperation::Bind, v4, 0, false),
        network(NetworkOperation::Bind, v6, 0, false),
        network(NetworkOperation::Listen, v4, LISTENS_AT, false),
        network(NetworkOperation::Listen, v6, LISTENS_AT + 1, false),
        network(NetworkOperation::Send, v4, PORT, false),
        network(NetworkOperation::Connect, v4, PORT, false),
        network(NetworkOperation::Send, v6, PORT, false),
        network(NetworkOperation::Connect, v6, PORT, false),
        network(NetworkOperation::Connect, v4, PORT ^ 1, true),
        left,
        Fact::Socket { family: 2, socket_type: 2, protocol: 136, refused: false },
        Fact::Socket { family: 2, socket_type: 2, protocol: 136, refused: true },
        Fact::Memory { how: picket_engine::MemoryUse::Changed },
        Fact::Mapped { path: path("/bin/picket"), file: PROGRAM, links: 1 },
        Fact::Namespaces { flags: 0x1000_0000 },
    ];
    let own = facts.into_iter().chain(about_objects()).map(|fact| {
        let by_second = matches!(fact, Fact::Open { .. });
        let record = decoded(PID, fact);
        if by_second { second(record) } else { record }
    });
    own.chain([decoded(CHILD, Fact::Exit { code: 7 << 8 })]).collect()
}

fn operation(operation: FileOperation, name: &str, file: FileId) -> Fact {
    let path = path(&format!("{PLACE}/{name}"));
    Fact::FileOperation { operation, path, file, links: 1, access: AccessSet::WRITE }
}

fn reach(how: Reach, number: u32) -> Fact {
    Fact::Reach { how, whose: Whose::Outside, process: std::process::id(), number }
}

fn peer(operation: NetworkOperation, name: &str) -> Fact {
    Fact::Peer { operation, whose: Whose::Outside, name: name.as_bytes().to_vec() }
}

fn received() -> Fact {
    Fact::FileOperation {
        operation: FileOperation::Receive,
        path: path("/bin/picket"),
        file: PROGRAM,
        links: 1,
        access: AccessSet::READ,
    }
}

fn about_objects() -> Vec<Fact> {
    const URG: u32 = 23;
    let absent = FileId { inode: 0, ..PROCESSES };
    vec![
        reach(Reach::Signal, URG),
        reach(Reach::Probe, 0),
        reach(Reach::Inspect, 1),
        peer(NetworkOperation::Connect, SOCKET),
        peer(NetworkOperation::Send, "canary-datagrams"),
        received(),
        operation(FileOperation::Unlink, "cgroup.procs", PROCESSES),
        operation(FileOperation::Rename, "cgroup.procs", PROCESSES),
        operation(FileOperation::Truncate, "cgroup.procs", PROCESSES),
        operation(FileOperation::Chmod, "cgroup.procs", PROCESSES),
        operation(FileOperation::Chown, "cgroup.procs", PROCESSES),
        operation(FileOperation::LinkTo, "canary-named", absent),
        operation(FileOperation::Mknod, "canary-named", absent),
        operation(FileOperation::Symlink, "canary-named", absent),
        operation(FileOperation::Mkdir, "canary-made", absent),
        operation(FileOperation::Rmdir, "canary-made", PROCESSES),
    ]
}

#[test]
fn a_truthful_kernel_side_meets_every_expectation() {
    let mut expected = expectations();
    for record in everything() {
        assert!(expected.meet(&record).unwrap(), "{record:?}");
    }
    assert!(expected.all_met(), "still waiting for {}", expected.missing());
}

#[test]
fn each_call_of_the_open_family_is_known_by_its_device_in_the_trace_tier() {
    let mut expected = expected_in(Tier::Trace, Round::First);
    for (inode, device) in [(1, "/dev/zero"), (2, "/dev/full"), (4, "/dev/urandom")] {
        let opened = second(decoded(PID, open(device, FileId { device: 5, inode })));
        assert!(expected.meet(&opened).unwrap(), "{device}");
    }
}

#[test]
fn a_call_that_could_not_be_made_is_not_expected() {
    let mut expected = expected_in(Tier::Trace, Round::First);
    let created = second(decoded(PID, open("/dev/random", FileId { device: 5, inode: 3 })));
    assert!(!expected.meet(&created).unwrap());
    assert!(!expected.missing().contains("sys_exit_creat"), "{}", expected.missing());
}

#[test]
fn a_round_after_the_first_leaves_out_what_hosts_audit_and_what_starts_threads() {
    for tier in [Tier::Lsm, Tier::Trace] {
        let missing = expected_in(tier, Round::Next).missing();
        let first = expected_in(tier, Round::First).missing();
        let (missing, first): (Vec<_>, Vec<_>) =
            (missing.split(", ").collect(), first.split(", ").collect());
        assert!(missing.iter().all(|act| first.contains(act) && is_repeated(act)), "{missing:?}");
        assert!(missing.contains(&"signal_generate"), "{missing:?}");
        let left_out = ["ptrace_access_check", "file_mprotect", "userns_create", "path_unlink"];
        assert!(left_out.iter().all(|act| !missing.contains(act)), "{missing:?}");
    }
}

#[test]
fn a_hook_that_takes_picket_for_a_stranger_after_the_first_round_is_refused() {
    let mut expected = expected_in(Tier::Trace, Round::Next);
    let own = Fact::Reach {
        how: Reach::Signal,
        whose: Whose::Picket,
        process: std::process::id(),
        number: 23,
    };
    assert!(expected.meet(&decoded(PID, own)).unwrap());
    assert!(expected.meet(&decoded(PID, reach(Reach::Signal, 23))).is_err());
}

#[test]
fn a_hook_that_says_nothing_is_named() {
    let mut expected = expectations();
    for record in everything().iter().filter(|record| record.fact.as_str() != "exec") {
        assert!(expected.meet(record).is_ok());
    }
    assert_eq!(expected.missing(), "sched_process_exec");
}

#[test]
fn every_fact_that_differs_from_the_truth_is_refused_by_name() {
    let late = Process {
        tgid: PID,
        tid: PID,
        start: picket_engine::KernelTime::from_nanos(9_000_000_000),
    };
    let left = Fact::Left { how: Departure::Migrated, cgroup: 10 };
    let seeded = [
        (decoded(PID + 1, Fact::Entered {}), "its process id"),
        (Decoded { process: late, ..decoded(PID, Fact::Entered {}) }, "its start time"),
        (
            decoded(
                PID,
                Fact::Syscall { number: 257, abi: SyscallAbi::Ia32, arguments: Arguments::NONE },
            ),
            "the calling convention",
        ),
        (decoded(PID, open("/bin/picket", OTHER)), "an opened file's inode"),
        (decoded(PID, open("/bin/other", PROGRAM)), "an opened file's path"),
        (decoded(PID, open("/bin/picket", PROGRAM)), "the thread id of its second thread"),
        (
            second(decoded(PID + 100, open("/bin/picket", PROGRAM))),
            "the process id of its second thread",
        ),
        (decoded(PID, Fact::Fork { child_tgid: 1, child_tid: 1 }), "its child's process id"),
        (decoded(PID, exec("/bin/other", PROGRAM, ARGUMENTS)), "the program's path"),
        (decoded(PID, exec("/bin/picket", OTHER, ARGUMENTS)), "the program's inode"),
        (decoded(PID, exec("/bin/picket", PROGRAM, b"x\0")), "its arguments"),
        (decoded(CHILD, Fact::Exit { code: 7 }), "its child's exit code"),
        (decoded(PID, left), "the cgroup it was moved to"),
        (
            decoded(PID, operation(FileOperation::Unlink, "other", PROCESSES)),
            "a changed file's path",
        ),
        (
            decoded(PID, operation(FileOperation::Unlink, "cgroup.procs", OTHER)),
            "a changed file's inode",
        ),
        (decoded(PID, peer(NetworkOperation::Connect, "other")), "the name of Picket's socket"),
    ];
    for (record, fact) in seeded {
        match expectations().meet(&record) {
            Err(CanaryError::Mismatch { what, .. }) => assert_eq!(what, fact),
            other => panic!("{fact}: {other:?}"),
        }
    }
}
