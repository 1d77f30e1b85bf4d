mod deeds;
mod exec;
mod files;
mod network;
mod others;
mod syscalls;

use super::{Context, judge, nearest};
use crate::testing::*;
use crate::*;

const READ: AccessSet = AccessSet::READ;
const WRITE: AccessSet = AccessSet::WRITE;
const EXECUTE: AccessSet = AccessSet::EXECUTE;

fn context(policy: &Policy) -> Context<'_> {
    Context { policy, starting: false, alive: 1, at: ms(1000) }
}

/// Each fact with the reason why it departs from the policy, or `None` when it is declared.
fn check(policy: &Policy, cases: &[(Fact, Option<Reason>)]) {
    for (at, (fact, reason)) in cases.iter().enumerate() {
        let found = judge(&context(policy), fact).map(|offence| offence.reason);
        assert_eq!(found, *reason, "case {at}: {fact:?}");
    }
}

fn files(rules: &[(&str, AccessSet)]) -> Policy {
    let files = rules.iter().map(|(path, access)| file_rule(path, *access)).collect();
    Policy { files, ..nothing_declared() }
}

fn programs(exec: &[ExecRule]) -> Policy {
    Policy { exec: exec.into(), ..nothing_declared() }
}

fn with_file(mut fact: Fact, id: FileId) -> Fact {
    if let Fact::Open { file, .. } | Fact::Exec { file, .. } | Fact::FileOperation { file, .. } =
        &mut fact
    {
        *file = id;
    }
    fact
}

fn with_path(mut fact: Fact, why: Unresolved) -> Fact {
    if let Fact::Open { path, .. } | Fact::Exec { path, .. } = &mut fact {
        *path = ObservedPath::Unresolved(why);
    }
    fact
}

#[test]
fn nothing_declared_means_everything_is_denied() {
    check(
        &nothing_declared(),
        &[
            (read("/"), Some(Reason::UndeclaredPath)),
            (exec("/bin/true", &[]), Some(Reason::UndeclaredExec)),
            (connect(LOOPBACK, 80), Some(Reason::UndeclaredDestination)),
            (syscall(0), Some(Reason::UndeclaredSyscall)),
        ],
    );
}

#[test]
fn a_grant_holds_until_its_end_and_not_at_it() {
    let until = Some(ms(1000));
    let expire = |policy: &mut Policy| {
        policy.exec.iter_mut().for_each(|rule| rule.until = until);
        policy.files.iter_mut().for_each(|rule| rule.until = until);
        policy.connect.iter_mut().for_each(|rule| rule.until = until);
        policy.listen.iter_mut().for_each(|rule| rule.until = until);
    };
    let mut policy = declared();
    policy.files.push(file_rule("/run/*", EXECUTE));
    expire(&mut policy);
    let facts = [
        read("/data/x"),
        exec("/usr/bin/cat", &[]),
        exec("/run/x", &[]),
        connect(LOOPBACK, 8080),
        network(NetworkOperation::Bind, 6, "::1", 9000),
    ];
    for fact in facts {
        let at = |at| judge(&Context { at, ..context(&policy) }, &fact).map(|it| it.reason);
        assert_eq!(at(ms(999)), None, "{fact:?}");
        assert_eq!(at(ms(1000)), Some(Reason::GrantExpired), "{fact:?}");
    }
    // What was never granted has not expired.
    let write = open("/data/x", WRITE);
    check(&policy, &[(write, Some(Reason::UndeclaredPath))]);
}

#[test]
fn beside_a_departure_stands_the_nearest_rule() {
    let mut policy = declared();
    policy.files.push(file_rule("/srv/spool/*.tmp", READ));
    policy.connect.push(endpoint("10.0.0.0/8", 443..=443, Protocol::Tcp));
    policy.exec.push(script("/opt/run.sh", "/bin/bash"));
    let near = |fact: Fact| {
        let context = context(&policy);
        nearest(&context, &fact, judge(&context, &fact).unwrap())
    };
    let file = |at: usize| Declared::Files(policy.files[at].clone());
    let program = |at: usize| Declared::Exec(policy.exec[at].clone());
    let endpoint = |at: usize| Declared::Endpoint(policy.connect[at].clone());
    assert_eq!(near(open("/data/x", WRITE)), file(0));
    assert_eq!(near(open("/srv/spool/a.tmp", WRITE)), file(2));
    assert_eq!(near(read("/srv/spool/a/b")), file(2));
    assert_eq!(near(read("/srv/other")), Declared::Nothing);
    assert_eq!(near(read("/etc/shadow")), Declared::Nothing);
    assert_eq!(near(with_path(read("/data"), Unresolved::TooLong)), Declared::Nothing);
    assert_eq!(near(with_file(read("/data/key"), SECRET)), Declared::Protected);
    assert_eq!(near(exec("/usr/bin/id", &[])), program(1));
    assert_eq!(near(exec_script("/opt/run.sh", "/bin/sh", &[])), program(2));
    assert_eq!(near(exec("/sbin/init", &[])), Declared::Nothing);
    assert_eq!(near(connect(LOOPBACK, 9)), endpoint(0));
    assert_eq!(near(connect("10.9.9.9", 8080)), endpoint(1));
    assert_eq!(near(connect("192.0.2.1", 443)), endpoint(1));
    assert_eq!(near(syscall(2)), Declared::Nothing);
}
