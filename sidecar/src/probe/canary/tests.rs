use picket_engine::{ObservedArgv, Order, SandboxId};

use super::*;

const PID: u32 = 4_000;
const CHILD: u32 = 4_001;
const PORT: u16 = 40_000;
const PROGRAM: FileId = FileId { device: 8 << 20 | 1, inode: 77 };
const OTHER: FileId = FileId { device: 8 << 20 | 1, inode: 78 };

fn expectations() -> Expectations {
    let truth = Truth {
        pid: Some(PID),
        start_ticks: 123,
        program: PROGRAM,
        path: b"/bin/picket".to_vec(),
        arguments: b"/bin/picket\0__canary-child\0".to_vec(),
        home_cgroup: 9,
        devices: [1, 2, 3, 4].map(|inode| Some(FileId { device: 5, inode })),
    };
    let told = Told { v4: true, v6: true, refused: true, child: CHILD, opens: 0b1011 };
    Expectations::new(truth, told, PORT, Tier::Trace)
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
        Fact::Syscall { number: 257, abi: SyscallAbi::Native },
        open("/bin/picket", PROGRAM),
        Fact::Fork { child_tgid: CHILD, child_tid: CHILD },
        exec("/bin/picket", PROGRAM, ARGUMENTS),
        open("/dev/zero", FileId { device: 5, inode: 1 }),
        open("/dev/full", FileId { device: 5, inode: 2 }),
        open("/dev/urandom", FileId { device: 5, inode: 4 }),
        network(NetworkOperation::Bind, v4, 0, false),
        network(NetworkOperation::Bind, v6, 0, false),
        network(NetworkOperation::Send, v4, PORT, false),
        network(NetworkOperation::Connect, v4, PORT, false),
        network(NetworkOperation::Send, v6, PORT, false),
        network(NetworkOperation::Connect, v6, PORT, false),
        network(NetworkOperation::Connect, v4, PORT ^ 1, true),
        left,
    ];
    let own = facts.into_iter().map(|fact| {
        let by_second = matches!(fact, Fact::Open { .. });
        let record = decoded(PID, fact);
        if by_second { second(record) } else { record }
    });
    own.chain([decoded(CHILD, Fact::Exit { code: 7 << 8 })]).collect()
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
fn a_call_that_could_not_be_made_is_not_expected() {
    let mut expected = expectations();
    let created = second(decoded(PID, open("/dev/random", FileId { device: 5, inode: 3 })));
    assert!(!expected.meet(&created).unwrap());
    assert!(!expected.missing().contains("creat"), "{}", expected.missing());
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
            decoded(PID, Fact::Syscall { number: 257, abi: SyscallAbi::Ia32 }),
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
    ];
    for (record, fact) in seeded {
        match expectations().meet(&record) {
            Err(CanaryError::Mismatch { what, .. }) => assert_eq!(what, fact),
            other => panic!("{fact}: {other:?}"),
        }
    }
}
