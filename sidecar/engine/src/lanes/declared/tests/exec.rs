//! What is said of exec, fact by fact.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{Context, EXECUTE, READ, check, files, judge, programs, with_file, with_path};
use crate::testing::*;
use crate::*;

#[test]
fn a_protected_file_is_no_program_either() {
    let protect = |policy| Policy { protected: BTreeSet::from([SECRET]), ..policy };
    let secret = with_file(exec("/bin/tool", &[]), SECRET);
    check(
        &protect(programs(&[program("/bin/*")])),
        &[
            (secret.clone(), Some(Reason::ProtectedInode)),
            (with_path(secret.clone(), Unresolved::ReadFailed), Some(Reason::ProtectedInode)),
        ],
    );
    check(&protect(programs(&[program("/bin/tool")])), &[(secret.clone(), None)]);
    check(
        &protect(files(&[("/bin/*", EXECUTE)])),
        &[(secret.clone(), Some(Reason::ProtectedInode))],
    );
    check(&protect(files(&[("/bin/tool", EXECUTE)])), &[(secret, None)]);
}

#[test]
fn c4_a_loader_that_may_be_read_may_not_be_run_by_itself() {
    check(
        &files(&[("/lib/ld.so", READ), ("/data/**", READ)]),
        &[(exec("/lib/ld.so", &["ld.so", "/data/program"]), Some(Reason::UndeclaredExec))],
    );
}

#[test]
fn a_program_runs_by_an_exec_rule_or_by_a_file_rule_with_execute() {
    let policy = Policy {
        files: Vec::from([file_rule("/opt/bin/*", EXECUTE), file_rule("/opt/data/*", READ)]),
        ..programs(&[program("/bin/tool")])
    };
    check(
        &policy,
        &[
            (exec("/bin/tool", &["any", "thing"]), None),
            (exec("/opt/bin/helper", &[]), None),
            (exec("/opt/data/helper", &[]), Some(Reason::UndeclaredExec)),
            (exec("/bin/tool2", &[]), Some(Reason::UndeclaredExec)),
            (with_path(exec("/bin/tool", &[]), Unresolved::TooDeep), Some(Reason::UnresolvedPath)),
        ],
    );
}

#[test]
fn declared_arguments_must_match_one_by_one_and_be_all_known() {
    let policy = programs(&[
        with_argv(program("/bin/cat"), &["cat", "/data/*"]),
        with_argv(program("/bin/true"), &[]),
    ]);
    let cut = |mut fact: Fact| {
        if let Fact::Exec { argv, .. } = &mut fact {
            argv.complete = false;
        }
        fact
    };
    let good = exec("/bin/cat", &["cat", "/data/x"]);
    check(
        &policy,
        &[
            (good.clone(), None),
            (exec("/bin/cat", &["cat", "/etc/x"]), Some(Reason::UndeclaredArguments)),
            (exec("/bin/cat", &["cat"]), Some(Reason::UndeclaredArguments)),
            (exec("/bin/cat", &["cat", "/data/x", ""]), Some(Reason::UndeclaredArguments)),
            (exec("/bin/cat", &[]), Some(Reason::UndeclaredArguments)),
            (cut(good), Some(Reason::UnreadableArguments)),
            (exec("/bin/true", &[]), None),
            (exec("/bin/true", &[""]), Some(Reason::UndeclaredArguments)),
        ],
    );
    // One rule without arguments is enough, wherever it stands.
    let policy = programs(&[with_argv(program("/bin/cat"), &["no"]), program("/bin/*")]);
    check(&policy, &[(exec("/bin/cat", &["cat"]), None)]);
}

#[test]
fn arguments_end_in_nul_and_the_last_nul_may_be_missing() {
    let split = |bytes: &[u8]| {
        let argv = ObservedArgv { bytes: bytes.into(), complete: true };
        argv.arguments().map(Vec::from).collect::<Vec<_>>()
    };
    assert_eq!(split(b""), Vec::<Vec<u8>>::new());
    assert_eq!(split(b"\0"), [b""]);
    assert_eq!(split(b"a\0b\0"), [b"a", b"b"]);
    assert_eq!(split(b"a\0b"), [b"a", b"b"]);
    assert_eq!(split(b"a\0\0"), [&b"a"[..], b""]);
}

#[test]
fn c3_a_script_needs_its_text_and_its_interpreter_declared() {
    let policy = programs(&[
        with_argv(script("/opt/*.sh", "/bin/bash"), &["/bin/bash", "/opt/*.sh", "go"]),
        script("/opt/other.sh", "/bin/sh"),
    ]);
    let run = |text: &str, interpreter: &str, argument: &str| {
        exec_script(text, interpreter, &[interpreter, text, argument])
    };
    check(
        &policy,
        &[
            (run("/opt/a.sh", "/bin/bash", "go"), None),
            (run("/opt/a.sh", "/bin/bash", "stop"), Some(Reason::UndeclaredArguments)),
            (run("/opt/a.sh", "/bin/sh", "go"), Some(Reason::UndeclaredInterpreter)),
            (run("/opt/other.sh", "/bin/sh", "any"), None),
            (run("/opt/../etc/a.sh", "/bin/bash", "go"), Some(Reason::UndeclaredExec)),
            (run("./a.sh", "/bin/bash", "go"), Some(Reason::UndeclaredExec)),
            (exec("/bin/bash", &["bash", "/opt/a.sh", "go"]), Some(Reason::UndeclaredExec)),
            // Named like the script, but run as a program.
            (exec("/opt/a.sh", &[]), Some(Reason::UndeclaredExec)),
        ],
    );
    // Whoever may run the interpreter may run whatever it interprets.
    check(&programs(&[program("/bin/bash")]), &[(run("/any", "/bin/bash", ""), None)]);
}

#[test]
fn c2_a_program_without_a_name_is_fileless_whatever_is_declared() {
    let policy = programs(&[program("/**")]);
    let mut unlinked = exec("/tmp/gone", &[]);
    if let Fact::Exec { links, .. } = &mut unlinked {
        *links = 0;
    }
    check(
        &policy,
        &[
            (unlinked, Some(Reason::Fileless)),
            (with_path(exec("/x", &[]), Unresolved::NoName), Some(Reason::Fileless)),
        ],
    );
}

#[test]
fn an_entry_point_exchanged_after_its_verification_is_a_departure() {
    let policy = Policy { entry: Some(SECRET), ..programs(&[program("/bin/tool")]) };
    let first = |fact: &Fact, starting| {
        let context = Context { policy: &policy, starting, alive: 1, at: ms(1000) };
        judge(&context, fact).map(|offence| offence.reason)
    };
    let other = exec("/bin/tool", &[]);
    assert_eq!(first(&with_file(other.clone(), SECRET), true), None);
    assert_eq!(first(&other, true), Some(Reason::EntryReplaced));
    assert_eq!(first(&other, false), None, "later programs are no entry points");
}
