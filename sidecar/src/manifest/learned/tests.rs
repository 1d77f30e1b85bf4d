//! Manifests held against made-up baselines. A changed manifest is held against them again.

use std::collections::BTreeSet;

use picket_engine::baseline::Family;
use proptest::prelude::*;

use super::{super::Manifest, *};

const HEAD: &str = "version: 1\nplugin: { name: p, version: 1 }\n";

fn manifest(text: &str) -> Manifest {
    Manifest::parse("m.yaml", text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn learned<'a>(deeds: &[(Family, &'a str)]) -> Vec<Learned<'a>> {
    let of = |(family, template): &(Family, &'a str)| Learned {
        family: *family,
        template,
        runs: 1,
        accepted: false,
        refused: false,
    };
    deeds.iter().map(of).collect()
}

fn compare(text: &str, deeds: &[(Family, &str)]) -> Comparison {
    manifest(text).compare(&learned(deeds), &BTreeSet::new()).unwrap()
}

/// The lines that a deed lacks; or why a person has to decide.
#[track_caller]
fn check(declared: &str, deed: (Family, &str), expected: Result<&[&str], &str>) {
    let undeclared = compare(&format!("{HEAD}{declared}"), &[deed]).undeclared;
    let found: Vec<_> = undeclared.into_iter().map(|one| one.grants).collect();
    let [one] = found.as_slice() else {
        assert!(found.is_empty() && expected == Ok(&[]), "{deed:?}: {found:?}");
        return;
    };
    match (one, expected) {
        (Ok(grants), Ok(lines)) => {
            let grants: Vec<_> =
                grants.iter().map(|grant| format!("{} {}", grant.list, grant.value)).collect();
            assert_eq!(grants, lines, "{deed:?}");
        }
        (Err(why), Err(word)) => assert!(why.contains(word), "{deed:?}: {why}"),
        _ => panic!("{deed:?}: {one:?}"),
    }
}

const EXEC: Family = Family::Exec;
const PATH: Family = Family::Path;
const CALL: Family = Family::Syscall;
const TO: Family = Family::Destination;
const DEED: Family = Family::Deed;

#[test]
fn what_a_rule_means_is_declared_and_what_none_means_lacks_a_line() {
    for (declared, deed) in [
        ("exec: [{ path: /opt/x }]", (EXEC, "/opt/x")),
        ("exec: [{ path: /opt/x, argv: [x] }]", (EXEC, "/opt/x")),
        ("exec: [{ path: /opt/s, interpreter: /opt/x }]", (EXEC, "/opt/s by /opt/x")),
        ("exec: [{ path: /opt/s, interpreter: /opt/x }]", (PATH, "read /opt/s")),
        ("exec: [{ path: /opt/x }]", (PATH, "execute /opt/x")),
        ("files: { read: [/data/**] }", (PATH, "read /data/app-*.log")),
        ("files: { read: [/data/**] }", (PATH, "map /data/lib.so")),
        ("files: { read: [/data/**], write: [/data/*] }", (PATH, "read+write /data/x")),
        ("files: { write: [/data/*] }", (PATH, "unlink /data/*.tmp")),
        ("", (PATH, "read /etc/ld.so.cache")),
        (
            "network: { connect: [{ to: 10.1.2.3, port: 443 }] }",
            (TO, "connect 10.1.2.0/24 tcp 443"),
        ),
        ("network: { connect: [{ to: 10.0.0.0/8, port: any }] }", (TO, "send 10.1.2.0/24 tcp 443")),
        (
            "network: { connect: [{ to: example.com, port: 443 }] }",
            (TO, "connect 10.1.2.0/24 tcp 443"),
        ),
        ("network: { listen: [{ address: 0.0.0.0, port: 80 }] }", (TO, "bind 0.0.0.0/24 tcp 80")),
        ("", (TO, "bind 0.0.0.0/24 tcp 0")),
        (
            "network: { listen: [{ address: 127.0.0.1, port: 32768-60999 }] }",
            (TO, "listen 127.0.0.0/24 tcp ephemeral"),
        ),
        ("", (CALL, "0")),
        ("syscalls: { allow: [mkdir] }", (CALL, "83")),
        ("syscalls: { allow: [ptrace] }", (CALL, "101")),
        ("network: { sockets: [netlink] }", (DEED, "socket netlink")),
        ("memory: { executable: true }", (DEED, "memory mapped")),
        ("syscalls: { allow: [unshare] }", (DEED, "namespaces 0x20000")),
        ("", (Family::Directory, "read /data")),
        ("", (Family::Errno, "syscall 83 refused")),
    ] {
        check(declared, deed, Ok(&[]));
    }
    for (deed, lines) in [
        ((EXEC, "/opt/x"), &["exec { path: /opt/x }"][..]),
        ((EXEC, "/opt/s by /opt/x"), &["exec { path: /opt/s, interpreter: /opt/x }"]),
        ((PATH, "read /data/app-*.log"), &["files.read /data/app-*.log"]),
        ((PATH, "read /data/a b"), &["files.read \"/data/a b\""]),
        ((PATH, "read+write /data/x"), &["files.read /data/x", "files.write /data/x"]),
        ((PATH, "rename /data/x"), &["files.write /data/x"]),
        ((PATH, "execute /opt/x"), &["files.read /opt/x"]),
        (
            (TO, "connect 10.1.2.0/24 tcp 443"),
            &["network.connect { to: \"10.1.2.0/24\", port: 443 }"],
        ),
        (
            (TO, "send ::/48 udp 53"),
            &["network.connect { to: \"::/48\", port: 53, protocol: udp }"],
        ),
        ((TO, "bind 0.0.0.0/24 tcp 80"), &["network.listen { address: \"0.0.0.0/24\", port: 80 }"]),
        (
            (TO, "connect 127.0.0.0/24 tcp ephemeral"),
            &["network.connect { to: \"127.0.0.0/24\", port: 32768-65535 }"],
        ),
        ((CALL, "83"), &["syscalls.allow mkdir"]),
        ((DEED, "socket netlink"), &["network.sockets netlink"]),
    ] {
        check("", deed, Ok(lines));
    }
}

#[test]
fn a_narrower_rule_does_not_declare_a_template_of_more() {
    let narrow = "files: { read: [/data/app-1.log] }";
    check(narrow, (PATH, "read /data/app-*.log"), Ok(&["files.read /data/app-*.log"]));
    check("files: { read: [/data/*] }", (PATH, "write /data/x"), Ok(&["files.write /data/x"]));
    let other = "network: { connect: [{ to: 10.1.2.3, port: 80 }] }";
    let line = "network.connect { to: \"10.1.2.0/24\", port: 443 }";
    check(other, (TO, "connect 10.1.2.0/24 tcp 443"), Ok(&[line]));
}

#[test]
fn what_opens_the_machine_is_left_to_a_person_unless_one_accepted_it() {
    for (deed, why) in [
        ((CALL, "101"), "dangerous"),
        ((CALL, "ia32 11"), "foreign_abi"),
        ((CALL, "4711"), "no name"),
        ((EXEC, "/tmp/x"), "anybody may write"),
        ((EXEC, "/opt/*/x"), "another name every time"),
        ((PATH, "read /root/.aws/key"), "dangerous"),
        ((PATH, "read /etc/shadow"), "a protected file"),
        ((PATH, "write /usr/bin/x"), "dangerous"),
        ((PATH, "read /proc/*/environ"), "dangerous"),
        ((PATH, "read /etc/*"), "made-up name"),
        ((PATH, "read ?no_name"), "not known"),
        ((TO, "connect 169.254.169.0/24 tcp 80"), "metadata"),
        ((TO, "connect 10.0.0.0/24 protocol-33 5"), "only `any`"),
        ((DEED, "socket raw"), "dangerous"),
        ((DEED, "memory mapped"), "dangerous"),
        ((DEED, "left migrated"), "nothing can grant it"),
    ] {
        check("", deed, Err(why));
    }
    let deed = |accepted, template| Learned { accepted, ..learned(&[(CALL, template)])[0] };
    let manifest = manifest(HEAD);
    let accepted = manifest.compare(&[deed(true, "101")], &BTreeSet::new()).unwrap();
    assert_eq!(accepted.undeclared[0].grants.as_ref().unwrap()[0].value, "ptrace");
    let refused = Learned { refused: true, ..deed(false, "83") };
    let refused = manifest.compare(&[refused], &BTreeSet::new()).unwrap();
    assert!(refused.undeclared[0].grants.as_ref().is_err_and(|why| why.contains("refused")));
}

/// Every list, each with a rule that is needed and one that is not.
const ALL: &str = "\
version: 1
plugin: { name: p, version: 1 }
exec:
  # The entry point.
  - { path: /opt/x }
  - { path: /opt/never }  # gone with its line
files:
  read: [/data/**, /never/*]
  write:
    - /data/out
    - path: /never/out
      expires: 2099-01-01T00:00:00Z
network:
  connect:
  - { to: 10.0.0.0/8, port: 443 }
  - { to: 192.0.2.0/24, port: 443 }
  sockets: [netlink]
syscalls: { allow: [mkdir, '@sync'] }
memory: { executable: true }
# The last line.
";

const OF_ALL: [(Family, &str); 7] = [
    (EXEC, "/opt/x"),
    (PATH, "read /data/in"),
    (PATH, "read /data/in.*"),
    (PATH, "write /data/out"),
    (TO, "connect 10.1.2.0/24 tcp 443"),
    (CALL, "83"),
    (CALL, "84"),
];

#[test]
fn rules_that_nothing_needed_are_told_with_their_lines_and_wide_ones_with_what_needed_them() {
    let comparison = compare(ALL, &OF_ALL);
    let told = |rule: &Rule| format!("{} {} {}", rule.line(), rule.list, rule.rule);
    let unused: Vec<String> = comparison.unused.iter().map(told).collect();
    assert_eq!(
        unused,
        [
            "6 exec /opt/never",
            "8 files.read /never/*",
            "11 files.write /never/out",
            "16 network.connect 192.0.2.0/24 port 443 (tcp)",
            "17 network.sockets netlink",
            "18 syscalls.allow @sync",
            "19 memory.executable true",
        ]
    );
    let wide: Vec<_> =
        comparison.wide.iter().map(|wide| (told(&wide.rule), wide.used_by.join(", "))).collect();
    let expected = [
        ("8 files.read /data/**", "read /data/in, read /data/in.*"),
        ("15 network.connect 10.0.0.0/8 port 443 (tcp)", "connect 10.1.2.0/24 tcp 443"),
    ];
    assert_eq!(wide, expected.map(|(rule, used)| (rule.to_owned(), used.to_owned())));
}

#[test]
fn a_group_tells_by_name_which_calls_needed_it() {
    let declared = format!("{HEAD}syscalls: {{ allow: ['@sync'] }}\n");
    let comparison = compare(&declared, &[(CALL, "74"), (CALL, "75")]);
    assert_eq!(comparison.wide[0].used_by, ["fsync", "fdatasync"]);
}

#[test]
fn nothing_is_said_of_rules_whose_family_is_full() {
    let unknown = BTreeSet::from([PATH, DEED]);
    let comparison = manifest(ALL).compare(&learned(&OF_ALL), &unknown).unwrap();
    let lists: BTreeSet<&str> = comparison.unused.iter().map(|rule| rule.list).collect();
    assert_eq!(lists, BTreeSet::from(["exec", "network.connect", "syscalls.allow"]));
    assert_eq!(comparison.unknown, unknown);
}

#[test]
fn a_patch_changes_the_lines_of_the_rules_and_leaves_everything_else() {
    let text = manifest(ALL).patched(&compare(ALL, &OF_ALL)).unwrap();
    insta::assert_snapshot!(text, @"
    version: 1
    plugin: { name: p, version: 1 }
    exec:
      # The entry point.
      - { path: /opt/x }
    files:
      read: [/data/**]
      write:
        - /data/out
    network:
      connect:
      - { to: 10.0.0.0/8, port: 443 }
    syscalls: { allow: [mkdir, rmdir] }
    # The last line.
    ");
}

#[test]
fn what_a_manifest_lacks_is_added_whichever_way_it_is_written() {
    let deeds = [
        (EXEC, "/opt/x"),
        (PATH, "read /data/in"),
        (PATH, "write /data/a, b"),
        (TO, "connect 2001:db8::/48 tcp 443"),
        (TO, "bind 0.0.0.0/24 udp 53"),
        (CALL, "83"),
        (DEED, "socket netlink"),
    ];
    for text in [
        HEAD.to_owned(),
        HEAD.trim_end().to_owned(),
        format!(
            "{HEAD}exec: []\nfiles: {{}}\nnetwork: {{ connect: [] }}\nsyscalls: {{ runtime: true }}\n"
        ),
        format!(
            "{HEAD}exec: [{{ path: /y }}]\nfiles: {{ read: [/y] }}\nnetwork: {{ sockets: [ping] }}\n"
        ),
        format!(
            "{HEAD}exec:\n- path: /y\n  argv: [y]\nfiles:\n  runtime: false\nsyscalls:\n    allow:\n        - \"@sync\"\n"
        ),
        format!("{HEAD}files:\n  read:\n    - /y\n\n\n# The end."),
        "{ version: 1, plugin: { name: p, version: 1 }, files: { read: [\n /y, # why\n /z ] } }"
            .to_owned(),
        format!("---\n{HEAD}mode: shadow\n"),
    ] {
        let comparison = compare(&text, &deeds);
        let patched =
            manifest(&text).patched(&comparison).unwrap_or_else(|error| panic!("{error}"));
        let after = compare(&patched, &deeds);
        assert_eq!(
            (after.undeclared, after.unused),
            (Vec::new(), Vec::new()),
            "{text}\n---\n{patched}"
        );
    }
}

#[test]
fn a_list_in_brackets_that_grows_too_long_becomes_lines() {
    let text = format!("{HEAD}files:\n  read: [/data/x, '/a#b'] # why\nmode: shadow\n");
    let paths: Vec<String> = (0..8).map(|n| format!("read /opt/a/long/name/{n}/x")).collect();
    let mut deeds: Vec<_> = paths.iter().map(|path| (PATH, path.as_str())).collect();
    deeds.extend([(PATH, "read /data/x"), (PATH, "read /a#b")]);
    let comparison = compare(&text, &deeds);
    let patched = manifest(&text).patched(&comparison).unwrap();
    assert!(patched.contains("  read:\n    - /data/x\n    - '/a#b'\n    - /opt/"), "{patched}");
    assert!(patched.contains(" # why\nmode: shadow\n"), "{patched}");
    let after = compare(&patched, &deeds);
    assert_eq!((after.undeclared, after.unused), (Vec::new(), Vec::new()), "{patched}");
}

#[test]
fn from_four_files_on_a_directory_is_declared_where_that_may_be() {
    let lines = |deeds: &[(Family, &str)]| {
        let comparison = compare(HEAD, deeds);
        let patched = manifest(HEAD).patched(&comparison).unwrap();
        let after = compare(&patched, deeds);
        assert!(after.unused.is_empty() && after.undeclared.iter().all(|one| one.grants.is_err()));
        patched.strip_prefix(HEAD).unwrap().to_owned()
    };
    let files = ["read /srv/a/1", "map /srv/a/2", "read /srv/a/3", "read /srv/a/4*"];
    let four = files.map(|file| (PATH, file));
    assert!(!lines(&four[..3]).contains("/srv/a/*"));
    let expected = "files:\n  read:\n    - /srv/a/*  # 4 files, learned in 1 run: /srv/a/1\n";
    assert_eq!(lines(&four), expected);
    let etc = ["read /etc/1", "read /etc/2", "read /etc/3", "read /etc/4"].map(|file| (PATH, file));
    assert!(!lines(&etc).contains("/etc/*"), "a place that is never declared as a whole");
}

#[test]
fn a_directory_in_which_something_was_left_to_a_person_is_not_declared_as_a_whole() {
    let files = [1, 2, 3, 4, 5].map(|number| format!("read /home/u/.kube/cache/{number}"));
    let accepted = |number: usize, accepted| Learned {
        accepted,
        ..learned(&[(PATH, files[number].as_str())])[0]
    };
    let four = [0, 1, 2, 3].map(|number| accepted(number, true));
    let patched = |deeds: &[Learned<'_>]| {
        let manifest = manifest(HEAD);
        manifest.patched(&manifest.compare(deeds, &BTreeSet::new()).unwrap()).unwrap()
    };
    assert!(patched(&four).contains("- /home/u/.kube/cache/*  # 4 files, learned in 1 run"));
    let with_another = [&four[..], &[accepted(4, false)]].concat();
    let text = patched(&with_another);
    assert!(text.contains("- /home/u/.kube/cache/4  #") && !text.contains("cache/*"), "{text}");
}

fn style() -> impl Strategy<Value = String> {
    let item = prop::sample::select(&["/data/a", "/data/*", "/never", "/etc/x.*"][..]);
    let list = (prop::collection::btree_set(item, 1..4), any::<bool>(), 0_usize..3);
    let list = list.prop_map(|(items, flow, indent)| {
        let items: Vec<&str> = items.into_iter().collect();
        let indent = " ".repeat(indent * 2);
        match flow {
            true => format!(" [ {} ]\n", items.join(" , ")),
            false => {
                items.iter().map(|item| format!("\n  {indent}- {item} # why")).collect::<String>()
                    + "\n"
            }
        }
    });
    (list.clone(), prop::option::of(list)).prop_map(|(read, write)| {
        let write = write.map(|write| format!("  # written\n  write:{write}")).unwrap_or_default();
        format!("{HEAD}files:\n  read:{read}{write}mode: shadow # last\n")
    })
}

proptest! {
    #[test]
    fn a_patched_manifest_declares_what_was_learned_and_needs_no_other_patch(
        text in style(),
        deeds in prop::collection::btree_set(prop::sample::select(&[
            (PATH, "read /data/a"), (PATH, "write /data/*.o"), (PATH, "read /etc/x.1"), (EXEC, "/opt/x"),
            (PATH, "unlink /never"), (CALL, "83"), (TO, "connect 10.0.0.0/24 tcp 1"),
        ][..]), 0..7),
    ) {
        let deeds: Vec<_> = deeds.into_iter().collect();
        let comparison = compare(&text, &deeds);
        let patched = manifest(&text).patched(&comparison);
        let patched = patched.unwrap_or_else(|error| panic!("{error}\n{text}"));
        let after = compare(&patched, &deeds);
        prop_assert_eq!(&after.undeclared, &[], "{}\n{}", text, patched);
        prop_assert_eq!(&after.unused, &[], "{}\n{}", text, patched);
        prop_assert!(patched.contains("mode: shadow # last"), "{}", patched);
        prop_assert_eq!(manifest(&patched).patched(&after).unwrap(), patched);
    }
}
