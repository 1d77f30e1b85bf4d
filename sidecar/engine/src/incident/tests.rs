use core::net::{IpAddr, Ipv4Addr};
use std::format;

use crate::testing::*;
use crate::*;

const NONE: [&str; 0] = [];

const fn reach(how: Reach, number: u32) -> Fact {
    Fact::Reach { how, whose: Whose::Outside, process: 1, number }
}

fn peer(name: &str) -> Fact {
    let operation = NetworkOperation::Connect;
    Fact::Peer { operation, whose: Whose::Sandbox, name: name.into() }
}

fn observing() -> Bench {
    Bench::running(Policy { mode: Mode::Observe, ..declared() })
}

fn close(bench: &mut Bench) -> std::string::String {
    bench.tell(Input::Unregister { sandbox: SANDBOX, at: ms(99_999) }).remove(0)
}

#[test]
fn the_same_departure_again_is_counted_and_not_told() {
    let facts = [
        read("/x"),
        exec("/x", &["a"]),
        exec_script("/x.sh", "/bin/sh", &[]),
        connect("10.0.0.1", 1),
        syscall(2),
        fork(300),
        LEFT,
        operation(FileOperation::Unlink, "/x"),
        reach(Reach::Signal, 9),
        peer("bus"),
    ];
    for fact in facts {
        let mut bench = observing();
        assert_eq!(bench.tell(event(ms(20), fact.clone())).len(), 2, "{fact:?}");
        // A second fork must be of another process to be a departure.
        let again = if fact == fork(300) { fork(301) } else { fact };
        assert_eq!(bench.tell(event(ms(21), again)), NONE);
        assert_eq!(close(&mut bench), "closed #1 unregistered: 1 findings, 1 more");
    }
}

#[test]
fn what_differs_in_anything_a_person_asks_for_is_told_apart() {
    let (long, longer) = (format!("/{}", "x".repeat(300)), format!("/{}", "x".repeat(301)));
    let pairs = [
        (read("/x"), read("/y")),
        (read("/x"), open("/x", AccessSet::WRITE)),
        (exec("/x", &["a"]), exec("/x", &["b"])),
        (exec_script("/a", "/bin/sh", &[]), exec_script("/b", "/bin/sh", &[])),
        (connect("10.0.0.1", 1), connect("10.0.0.1", 2)),
        (connect("10.0.0.1", 1), network(NetworkOperation::Connect, 17, "10.0.0.1", 1)),
        (syscall(2), syscall(3)),
        (operation(FileOperation::Unlink, "/x"), operation(FileOperation::Unlink, "/y")),
        (operation(FileOperation::Rename, "/x"), operation(FileOperation::RenameTo, "/x")),
        (reach(Reach::Signal, 9), reach(Reach::Signal, 15)),
        (reach(Reach::Inspect, 1), reach(Reach::Attach, 1)),
        (peer("bus"), peer("sub")),
        (exec_script(&long, "/bin/sh", &[]), exec_script(&longer, "/bin/sh", &[])),
    ];
    for (one, other) in pairs {
        let mut bench = observing();
        assert_eq!(bench.tell(event(ms(20), one)).len(), 2);
        assert_eq!(bench.tell(event(ms(21), other.clone())).len(), 1, "{other:?}");
    }
}

#[test]
fn beyond_its_limit_an_incident_counts_but_the_first_of_each_kind_is_still_told() {
    let mut bench = observing();
    let mut told = 0;
    for port in 1..=1_000 {
        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        let operation = NetworkOperation::Connect;
        let fact = Fact::Network { operation, protocol: 6, address, port, refused: false };
        bench.tell(event(ms(20), fact));
        told += bench.findings().count();
    }
    assert_eq!(told, Settings::STANDARD.findings_kept);
    assert_eq!(
        bench.tell(event(ms(21), syscall(101))),
        ["finding #1 danger dangerous_syscall freeze"]
    );
    assert_eq!(bench.tell(event(ms(22), syscall(101))), NONE);
    assert_eq!(bench.tell(event(ms(23), syscall(165))), NONE);
    assert_eq!(close(&mut bench), "closed #1 unregistered: 65 findings, 938 more");
}

#[test]
fn a_finding_that_contains_is_told_however_full_the_incident_is() {
    let mut policy = declared();
    policy.actions = policy.actions.with(Capability::Syscalls, Action::Alert);
    let mut bench = Bench::running(policy);
    // 70 undeclared calls, none of them dangerous.
    for number in 30..100 {
        bench.tell(event(ms(20), syscall(number)));
    }
    bench.tell(Input::Policy { sandbox: SANDBOX, policy: declared(), at: ms(21) });
    assert_eq!(
        bench.tell(event(ms(22), syscall(99))),
        ["finding #1 syscalls undeclared_syscall freeze", "contain: freeze #1 finding 1",]
    );
}

#[test]
fn an_exec_that_was_found_when_the_kernel_opened_its_program_is_one_finding() {
    let executed = |path| open(path, AccessSet::READ | AccessSet::EXECUTE);
    let pairs = [
        (executed("/x"), exec("/x", &["x", "-v"])),
        (executed("/run.sh"), exec_script("/run.sh", "/bin/sh", &["sh", "/run.sh"])),
    ];
    for (opened, run) in pairs {
        let mut bench = observing();
        assert_eq!(bench.tell(event(ms(20), opened)).len(), 2);
        assert_eq!(bench.tell(event(ms(21), run.clone())), NONE);
        // Once: run again in another way it is news as ever.
        assert_eq!(bench.tell(event(ms(22), exec("/x", &["x", "-w"]))).len(), 1, "{run:?}");
    }
}

#[test]
fn a_file_that_an_open_creates_and_cuts_is_one_finding() {
    let mut bench = observing();
    let absent = FileId { device: 8, inode: 0 };
    let mut made = operation(FileOperation::Mknod, "/x");
    if let Fact::FileOperation { file, .. } = &mut made {
        *file = absent;
    }
    let write = open("/x", AccessSet::WRITE);
    assert_eq!(bench.tell(event(ms(20), made)).len(), 2);
    assert_eq!(bench.tell(event(ms(21), write.clone())), NONE);
    assert_eq!(bench.tell(event(ms(22), operation(FileOperation::Truncate, "/x"))), NONE);
    assert_eq!(bench.tell(event(ms(23), write)), NONE);
    // To remove it is another thing.
    assert_eq!(bench.tell(event(ms(24), operation(FileOperation::Unlink, "/x"))).len(), 1);
}
