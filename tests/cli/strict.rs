//! `confinement: strict`: what is not declared is refused, never without being told, and stopped when it goes on.

use std::os::unix::process::CommandExt;
use std::process::Command;

use libc::SIGKILL;
use picket_engine::DANGER;
use picket_tests::wait_until;
use serde_json::Value;

use super::plugin::Plugin;
use super::programs;
use super::run::{Ended, has_event};

/// Refused calls are told, however many.
const TOLD: &str = "confinement: strict\nactions: { denied: alert, denied_repeatedly: alert }";

fn with_perl(rules: &str) -> Plugin {
    Plugin::new().may_run("path: /usr/bin/perl").declares(rules)
}

fn perl(plugin: &Plugin, script: &str) -> Ended {
    let mut command = plugin.exec();
    command.args(["--", "perl", "-e", &format!("$| = 1; {script}")]);
    plugin.run_command(command)
}

/// The refused calls that were told, as number and kind of table.
fn denied(ended: &Ended) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = ended.of("finding").into_iter();
    findings
        .filter(|finding| finding["reason"] == "denied_attempt")
        .map(|finding| (text(&finding["capability"]), text(&finding["deed"])))
        .collect()
}

#[test]
fn an_honest_plugin_does_not_notice_its_confinement() {
    let plugin = Plugin::new().declares("confinement: strict");
    plugin.run("echo one | cat; sleep 0; exit 5").assert_honest(5);
}

#[test]
fn each_call_of_the_danger_set_is_refused_told_and_survived() {
    let numbers: Vec<String> = DANGER.numbers().map(|number| number.to_string()).collect();
    let script = format!(
        "for ({}) {{ $! = 0; syscall($_, 0, 0, 0, 0, 0); print \"$_:\", $! + 0, ' ' }} exit 5",
        numbers.join(", ")
    );
    let ended = perl(&with_perl(TOLD), &script);
    assert_eq!(ended.code, 5, "{ended:?}");
    let expected: String = numbers.iter().map(|number| format!("{number}:1 ")).collect();
    assert_eq!(ended.output(), expected, "EPERM each");
    let told = denied(&ended);
    assert_eq!(told.len(), numbers.len(), "{told:?}");
    assert!(told.iter().all(|(capability, _)| capability == "danger"), "{told:?}");
    assert!(told[0].1.starts_with("was refused ptrace("), "{told:?}");
}

#[test]
fn f1_f2_calls_of_other_tables_are_refused_and_told() {
    let plugin = with_perl(TOLD).may_run("path: DIRECTORY/wide").may_run("path: DIRECTORY/narrow");
    programs::install(&plugin.path("wide"), &programs::wide());
    programs::install(&plugin.path("narrow"), &programs::narrow());
    let x32 = 0x4000_0000_i64 | libc::SYS_getpid;
    let wide = perl(&plugin, &format!("syscall({x32}); exec './wide'"));
    assert_eq!(wide.code, 0, "{wide:?}");
    let told = denied(&wide);
    assert!(told.iter().all(|(capability, _)| capability == "danger"), "{told:?}");
    assert_eq!(told[0].1, "was refused the x32 system call 39");
    assert_eq!(told[1].1, "was refused the 32-bit system call 20");
    // A program of 32 bits cannot even end by itself.
    let mut command = plugin.exec();
    command.args(["--", "./narrow"]);
    let narrow = plugin.run_command(command);
    let told = denied(&narrow);
    assert_eq!(told[0].1, "was refused the 32-bit system call 20");
    assert_eq!(told[1].1, "was refused the 32-bit system call 1");
}

#[test]
fn d9_to_d12_sockets_that_no_hook_follows_are_refused_and_told() {
    // Raw ICMP, packets, netlink of the audit, vsock, the kernel's ciphers, SCTP.
    let refused = [(2, 3, 1), (17, 3, 0), (16, 3, 9), (40, 1, 0), (38, 5, 0), (2, 1, 132)];
    let followed = [(1, 1, 0), (2, 1, 6), (2, 2, 0), (10, 1, 0), (16, 3, 0)];
    // What is followed is judged: an undeclared netlink socket would freeze perl before it prints.
    let declared = format!("{TOLD}\nnetwork: {{ sockets: [netlink] }}");
    for (sockets, rules, errno) in [(&refused[..], TOLD, 1), (&followed[..], &declared, 0)] {
        for (family, kind, protocol) in sockets {
            let script = format!("$! = 0; syscall(41, {family}, {kind}, {protocol}); print $! + 0");
            let ended = perl(&with_perl(rules), &script);
            assert_eq!(ended.output(), errno.to_string(), "{family} {kind} {protocol}: {ended:?}");
            assert_eq!(denied(&ended).len(), errno, "{ended:?}");
        }
    }
    let ended = perl(&with_perl(TOLD), "syscall(41, 17, 3, 0)");
    let finding = ended.of("finding")[0];
    assert_eq!(finding["capability"], "syscalls", "{ended:?}");
    assert!(finding["declared"].as_str().unwrap().contains("not for these arguments"), "{ended:?}");
}

#[test]
fn a_refused_call_is_told_and_the_third_contained_by_default() {
    let plugin = with_perl("confinement: strict");
    let twice = perl(&plugin, "syscall(101, 0); syscall(101, 0); exit 5");
    assert_eq!((twice.code, denied(&twice).len()), (5, 1), "{twice:?}");
    assert_eq!(twice.of("finding")[0]["action"], "alert", "{twice:?}");
    let thrice = perl(&plugin, "syscall(101, 0); syscall(321, 0); syscall(101, 0); 1 while 1");
    thrice.assert_contained("danger", "denied_attempt");
}

/// `ptrace`, and at once a byte to standard output; then it lingers.
const EAGER: [u8; 33] = [
    0xb8, 101, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05, // mov eax, 101; xor edi, edi; syscall
    0xb8, 1, 0, 0, 0, 0xbf, 1, 0, 0, 0, // mov eax, 1; mov edi, 1
    0xbe, 0, 0, 0x40, 0, // mov esi, the file's first byte
    0xba, 1, 0, 0, 0, 0x0f, 0x05, 0xeb, // mov edx, 1; syscall; jmp
    0xfe, // to itself
];

#[test]
fn what_freezes_for_a_refused_call_runs_nothing_after_it() {
    let plugin = Plugin::new()
        .may_run("path: DIRECTORY/eager")
        .declares("confinement: strict\nactions: { denied: freeze }");
    let mut program = programs::wide();
    // Longer than what was there, and mapped all the same: the page is.
    program.truncate(program.len() - 16);
    program.extend(EAGER);
    programs::install(&plugin.path("eager"), &program);
    // Answered before it is judged and frozen, one in six gets to its byte.
    for _ in 0..20 {
        let mut command = plugin.exec();
        command.args(["--", "./eager"]);
        let ended = plugin.run_command(command);
        ended.assert_contained("danger", "denied_attempt");
        assert_eq!(ended.output(), "", "{ended:?}");
    }
}

#[test]
fn children_and_what_they_execute_are_under_the_filter() {
    let plugin = with_perl(TOLD);
    let ended = plugin.run("perl -e 'exit 3 if 0 <= syscall(101, 0)' & wait; exit 5");
    assert_eq!((ended.code, denied(&ended).len()), (5, 1), "{ended:?}");
    let started = ended.of("started").first().map(|it| it["pid"].clone());
    assert_ne!(Some(&ended.of("finding")[0]["pid"]), started.as_ref(), "{ended:?}");
}

#[test]
fn a_flood_of_refused_calls_does_not_hold_up_another_verdict() {
    // Eight processes, half of them for ever; the others when they have had a thousand answers.
    // What these do then is refused by neither wall.
    let flood = "fork; fork; if (fork) { syscall(101, 0) while 1 } syscall(101, 0) for 1..1000; \
                 socket(S, 2, 1, 6) or exit 9; connect(S, pack('SnNx8', 2, 9, 0x7f000001)); sleep";
    let ended = perl(&with_perl(TOLD), flood);
    ended.assert_contained("network", "undeclared_destination");
    assert_eq!(denied(&ended).len(), 1, "the same each time, and counted: {ended:?}");
}

#[test]
fn a_confined_plugin_whose_picket_is_killed_is_frozen() {
    let plugin = with_perl("confinement: strict");
    let mut command = plugin.exec();
    command.args(["--", "perl", "-e", "$| = 1; print 'ready'; syscall(101, 0) while 1"]);
    // Told only, so that it is at work when Picket dies.
    plugin.write("manifest.yaml", plugin.manifest() + "actions: { denied_repeatedly: alert }\n");
    let mut run = super::run::Run::start(&plugin, command);
    run.await_output("ready");
    let sandbox = run.cgroup();
    run.signal(SIGKILL);
    assert_eq!(run.reap(), -1);
    wait_until("frozen", || has_event(&sandbox, "frozen 1"));
}

#[test]
fn strict_is_refused_where_the_kernel_cannot_and_the_doctor_says_the_same() {
    let plugin = Plugin::new().declares("confinement: strict");
    let mut command = plugin.exec();
    command.args(["--", "sh", "-c", ": > marker"]);
    let ended = plugin.run_command(without_seccomp(command));
    assert!(!plugin.path("marker").exists());
    assert_eq!(ended.code, 125, "{ended:?}");
    for said in ["`confinement: strict` cannot be had here", "standard", "Nothing was started."] {
        assert!(ended.stderr.contains(said), "no {said:?} in {}", ended.stderr);
    }
    let mut doctor = picket_tests::picket();
    doctor.args(["doctor", "--no-load", "--output", "json"]);
    let report = without_seccomp(doctor).output().unwrap().stdout;
    let report: Value = serde_json::from_slice(&report).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let strict = checks.iter().find(|check| check["check"] == "strict").unwrap();
    assert_eq!(strict["status"], "warning", "{strict}");
}

/// As some container runtimes do: seccomp(2) is not there.
#[expect(unsafe_code, reason = "a filter is installed between fork and exec")]
fn without_seccomp(mut command: Command) -> Command {
    let code = |code, k| libc::sock_filter { code, jt: 0, jf: 0, k };
    let mut program = [
        code(0x20, 0),
        libc::sock_filter { code: 0x15, jt: 0, jf: 1, k: 317 },
        code(0x06, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs()),
        code(0x06, libc::SECCOMP_RET_ALLOW),
    ];
    let install = move || {
        let program = libc::sock_fprog { len: 4, filter: program.as_mut_ptr() };
        // SAFETY: the program outlives the call, and has as many instructions as it says.
        match unsafe { libc::prctl(libc::PR_SET_SECCOMP, 2, &raw const program) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(install) };
    command
}
