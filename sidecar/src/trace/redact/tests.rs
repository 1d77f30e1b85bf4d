use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use picket_engine::*;
use proptest::prelude::*;

use super::*;

fn policy(files: &[&str], arguments: &[&str], networks: &[&str]) -> Policy {
    let file = |path: &&str| FileRule {
        path: Pattern::parse(path).unwrap(),
        access: AccessSet::READ,
        until: None,
    };
    let program = |argument: &&str| ExecRule {
        path: Pattern::parse("/bin/tool").unwrap(),
        interpreter: None,
        argv: Some(vec![ArgPattern::parse("tool").unwrap(), ArgPattern::parse(argument).unwrap()]),
        until: None,
    };
    let endpoint = |network: &&str| EndpointRule {
        network: network.parse().unwrap(),
        ports: 1..=65535,
        protocol: Protocol::Any,
        until: None,
    };
    Policy {
        exec: arguments.iter().map(program).collect(),
        files: files.iter().map(file).collect(),
        connect: networks.iter().map(endpoint).collect(),
        containment: ContainmentPlan { hold: Duration::from_secs(1), on_expiry: OnExpiry::Kill },
        mode: Mode::Observe,
        ..Policy::nothing_declared()
    }
}

fn redactor(policy: &Policy) -> Redactor {
    let mut redactor = Redactor::new();
    redactor.declare(policy);
    redactor
}

fn paths(files: &[&str], paths: &[&str]) -> Vec<String> {
    let mut redactor = redactor(&policy(files, &[], &[]));
    let replaced = paths.iter().map(|path| redactor.path(path.as_bytes()));
    let replaced = replaced.map(|path| String::from_utf8(path).unwrap()).collect();
    assert_eq!(redactor.kept(), 0);
    replaced
}

#[test]
fn only_what_a_rule_spells_stays() {
    let files = ["/data/**", "/etc/app.conf", "/tmp/report-*.out", "/usr/lib/lib*.so*", "/x/*"];
    let original = [
        "/data/alice/medical.pdf",
        "/etc/app.conf",
        "/tmp/report-alice.out",
        "/tmp/report-bob.out",
        "/usr/lib/libalice.so.6",
        "/home/alice/../medical.pdf//x",
        "/",
    ];
    assert_eq!(
        paths(&files, &original),
        [
            "/data/s2/s3",
            "/etc/app.conf",
            "/tmp/report-s7.out",
            "/tmp/report-s8.out",
            "/usr/lib/libs11.sos11",
            "/s12/s2/../s3//x",
            "/"
        ]
    );
}

#[test]
fn a_word_for_which_there_is_no_other_stays_and_is_counted() {
    let mut redactor = redactor(&policy(&["/*a*", "/*as*"], &[], &[]));
    assert_eq!(redactor.path(b"/secret-a"), b"/secret-a");
    assert_eq!(redactor.kept(), 1);
}

#[test]
fn addresses_stay_in_their_networks() {
    let networks = ["10.0.0.0/8", "10.0.0.0/16", "192.0.2.7/32", "198.18.0.0/16", "2001:db8::/64"];
    let mut redactor = redactor(&policy(&[], &[], &networks));
    let mut replaced =
        |text: &str| redactor.addresses.replace(text.parse::<IpAddr>().unwrap()).to_string();
    assert_eq!(replaced("10.99.1.2"), "10.1.0.0");
    assert_eq!(replaced("10.99.1.3"), "10.1.0.1");
    assert_eq!(replaced("10.99.1.2"), "10.1.0.0");
    assert_eq!(replaced("::ffff:10.99.1.2"), "::ffff:10.1.0.0");
    assert_eq!(replaced("10.0.3.4"), "10.0.0.1");
    assert_eq!(replaced("192.0.2.7"), "192.0.2.7");
    assert_eq!(replaced("93.184.216.34"), "198.19.0.0");
    assert_eq!(replaced("2001:db8::99"), "2001:db8::1");
    assert_eq!(replaced("2a00::1"), "2001:db8:0:1::");
    assert_eq!(replaced("127.0.0.1"), "127.0.0.1");
}

proptest! {
    #[test]
    fn the_same_patterns_mean_a_path_before_and_after(
        patterns in prop::collection::vec("(/(\\*\\*|[ab]{0,2}\\*[ab]{0,2}|[ab]{1,2})){1,3}", 0..5),
        path in "(/[abc]{1,4}){1,4}",
    ) {
        let texts: Vec<&str> = patterns.iter().map(String::as_str).collect();
        let policy = policy(&texts, &[], &[]);
        let mut redactor = redactor(&policy);
        let replaced = redactor.path(path.as_bytes());
        for rule in &policy.files {
            prop_assert_eq!(rule.path.matches(path.as_bytes()), rule.path.matches(&replaced));
        }
        prop_assert_eq!(redactor.path(path.as_bytes()), replaced);
    }

    #[test]
    fn the_same_networks_hold_an_address_before_and_after(
        networks in prop::collection::vec((any::<IpAddr>(), 0..=32_u8), 0..5), addresses: Vec<IpAddr>,
    ) {
        let networks: Vec<String> =
            networks.iter().map(|(address, bits)| format!("{address}/{bits}")).collect();
        let texts: Vec<&str> = networks.iter().map(String::as_str).collect();
        let policy = policy(&[], &[], &texts);
        let mut redactor = redactor(&policy);
        let mut seen = BTreeSet::new();
        for address in addresses.iter().collect::<BTreeSet<_>>() {
            let replaced = redactor.addresses.replace(*address);
            prop_assert!(seen.insert(replaced), "two became one");
            for rule in &policy.connect {
                let holds = |address: IpAddr| rule.network.contains(&address.to_canonical());
                prop_assert_eq!(holds(*address), holds(replaced));
            }
        }
    }
}

/// Words that must not survive.
const CANARIES: [&str; 8] = [
    "canary-home",
    "canary-file",
    "canary-script",
    "canary-token",
    "203.0.113.77",
    "2a00:1450::77",
    "canary-plugin",
    "canary-kernel",
];

fn event(sequence: u32, fact: Fact) -> Input {
    let time = KernelTime::from_nanos(1_000 + u64::from(sequence));
    let sandbox = SandboxId { slot: 0, generation: 1 };
    let process = Process { tgid: 10, tid: 10, start: KernelTime::BOOT };
    Input::Event { sandbox, order: Order { time, cpu: 0, sequence }, process, fact }
}

fn exec(path: &str, script: Option<&str>, argv: &str, inode: u64) -> Fact {
    Fact::Exec {
        path: ObservedPath::Resolved(path.into()),
        file: FileId { device: 8, inode },
        links: 1,
        script: script.map(Into::into),
        argv: ObservedArgv { bytes: argv.into(), complete: true },
    }
}

#[test]
fn no_canary_survives_and_the_decisions_do() {
    let sandbox = SandboxId { slot: 0, generation: 1 };
    let policy = policy(&["/srv/*/public/**"], &["--out=*"], &["203.0.113.0/24"]);
    let open = |path: &str, inode| Fact::Open {
        path: ObservedPath::Resolved(path.into()),
        file: FileId { device: 0x0080_0001, inode },
        links: 1,
        access: AccessSet::READ,
    };
    let connect = |address: &str| Fact::Network {
        operation: NetworkOperation::Connect,
        protocol: 6,
        address: address.parse().unwrap(),
        port: 443,
        refused: false,
    };
    // Long, equally long and alike at the beginning: one departure, before and after.
    let long = |end: &str| format!("tool\0{}\0--key={end}\0", "canary-token".repeat(12));
    let facts = [
        exec("/bin/tool", None, "tool\0--out=canary-file\0", 1),
        open("/srv/canary-home/public/canary-file", 2),
        open("/srv/canary-home/private/canary-file", 3),
        exec("/bin/sh", Some("./canary-script"), "sh\0canary-script\0canary-token\0", 4),
        exec("/bin/tool", None, &long("canary-1"), 1),
        exec("/bin/tool", None, &long("canary-2"), 1),
        connect("203.0.113.77"),
        connect("2a00:1450::77"),
        Fact::Left { how: Departure::Migrated, cgroup: 77_777_777 },
    ];
    let events = facts.into_iter().zip(1..).map(|(fact, sequence)| event(sequence, fact));
    let at = KernelTime::from_nanos(1);
    let register = Input::Register { sandbox, policy, arrival: Arrival::Gated, at };
    let inputs: Vec<Input> = std::iter::once(register).chain(events).collect();

    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    let clock = crate::trace::Clock::new(at, std::time::UNIX_EPOCH);
    let mut header = crate::trace::Header::here("trace", vec!["canary-plugin".to_owned()], clock);
    header.kernel = "6.18.1-canary-kernel".to_owned();
    let mut writer = Writer::create(&from, &header).unwrap();
    inputs.iter().for_each(|input| writer.input(input).unwrap());
    writer.finish(0).unwrap();
    let before = fs::read_to_string(&from).unwrap();
    for canary in CANARIES {
        assert!(before.contains(canary), "{canary} was never there");
    }

    // What the engine says about both is compared by `redact` itself, input by input.
    let redacted = redact(&from, &to, false).unwrap();
    assert_eq!(redacted, Redacted { inputs: 10, kept: 0 });
    let after = fs::read_to_string(&to).unwrap();
    for canary in CANARIES.into_iter().chain(["canary", "77777777", "8388609"]) {
        assert!(!after.contains(canary), "{canary} survived: {after}");
    }
    let mut findings = 0;
    let mut replay = Replay::default();
    for input in Reader::open(&to).unwrap() {
        let said = replay.tell(input.unwrap());
        findings += said.iter().filter(|effect| matches!(effect, Effect::Finding(_))).count();
    }
    assert_eq!(findings, 5);

    let itself = redact(&from, &from, false).unwrap_err().to_string();
    assert!(itself.ends_with("is the trace itself: name another file"), "{itself}");
    assert_eq!(fs::read_to_string(&from).unwrap(), before);
}
