//! What a manifest becomes on a machine: links, identities, names, dates, digests.

use std::{
    fs, io,
    net::IpAddr,
    os::unix::fs::symlink,
    path::Path,
    sync::LazyLock,
    time::{Duration, UNIX_EPOCH},
};

use picket_engine::{AccessSet, FileId, KernelTime, Policy};

use super::super::{
    Names, Occasion, ResolveContext, ResolveError, Resolved, canonical::canonical, mounts::Mounts,
};
use super::{declaring, parse};
use crate::document::Digest;

const TRUE: &str = "/usr/bin/true";

/// 2030-01-01, one hour after boot.
fn context(occasion: Occasion) -> ResolveContext<'static> {
    static NAMES: LazyLock<Names> = LazyLock::new(Names::default);
    ResolveContext {
        entry: Some(Path::new(TRUE)),
        wall: UNIX_EPOCH + Duration::from_secs(1_893_456_000),
        boot: KernelTime::from_nanos(3_600_000_000_000),
        occasion,
        elsewhere: false,
        names: &NAMES,
    }
}

fn resolve(text: &str) -> Result<Resolved, ResolveError> {
    declaring(text).resolve(&context(Occasion::Start))
}

fn access(policy: &Policy, path: &str) -> AccessSet {
    let rules = policy.files.iter().filter(|rule| rule.path.matches(path.as_bytes()));
    rules.fold(AccessSet::NONE, |all, rule| all.union(rule.access))
}

/// A directory to play in, by the path the kernel reports for it.
fn playground() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap().to_str().unwrap().to_owned();
    (directory, path)
}

/// The complaint, with the playground called /play, and without the marked line: its width depends
/// on where the playground is.
fn refusal(text: &str, playground: &str) -> String {
    shortened(&resolve(text).unwrap_err(), playground)
}

fn shortened(error: &ResolveError, playground: &str) -> String {
    let error = error.to_string().replace(playground, "/play");
    let lines: Vec<_> = error.lines().filter(|line| !line.contains(" | ")).collect();
    lines.join("\n")
}

#[test]
fn a_pattern_behind_a_link_means_what_the_link_leads_to() {
    let (_directory, play) = playground();
    fs::create_dir(format!("{play}/real")).unwrap();
    symlink("real", format!("{play}/link")).unwrap();
    let resolved = resolve(&format!("files: {{ read: ['{play}/link/*/new.txt'] }}\n")).unwrap();
    assert_eq!(access(&resolved.policy, &format!("{play}/real/a/new.txt")), AccessSet::READ);
    assert_eq!(access(&resolved.policy, &format!("{play}/link/a/new.txt")), AccessSet::NONE);
}

#[test]
fn a_path_that_is_not_there_yet_stays_as_written_from_where_it_ends() {
    let (_directory, play) = playground();
    symlink(format!("{play}/later"), format!("{play}/link")).unwrap();
    let found = canonical(format!("{play}/link/a/../b").as_ref()).unwrap();
    assert_eq!(found, Path::new(&format!("{play}/later/b")));
}

#[test]
fn a_name_with_a_star_in_it_is_no_wildcard_after_a_link() {
    let (_directory, play) = playground();
    fs::create_dir(format!("{play}/a*b")).unwrap();
    symlink("a*b", format!("{play}/link")).unwrap();
    let resolved = resolve(&format!("files: {{ read: ['{play}/link/**'] }}\n")).unwrap();
    assert_eq!(access(&resolved.policy, &format!("{play}/a*b/x")), AccessSet::READ);
    assert_eq!(access(&resolved.policy, &format!("{play}/axb/x")), AccessSet::NONE);
}

#[test]
fn links_that_lead_to_each_other_are_an_error_at_the_path() {
    let (_directory, play) = playground();
    symlink("b", format!("{play}/a")).unwrap();
    symlink("a", format!("{play}/b")).unwrap();
    let text = format!("files: {{ read: ['{play}/a/x'] }}\n");
    insta::assert_snapshot!(refusal(&text, &play), @r"
    plugin.yaml:3:17: `/play/a/x`: more than 40 symbolic links lead to each other
          = write a path that Picket can follow
    ");
}

#[test]
fn a_link_into_the_own_process_is_an_error_at_the_path() {
    let (_directory, play) = playground();
    symlink("/proc/self", format!("{play}/me")).unwrap();
    let text = format!("files: {{ read: ['{play}/me/status'] }}\n");
    insta::assert_snapshot!(refusal(&text, &play), @r"
    plugin.yaml:3:17: `/play/me/status`: /proc/self is another file for every process
          = write the path that does not go through it
    ");
}

#[test]
fn reading_and_writing_one_path_is_one_rule() {
    let resolved = resolve("files: { read: [/data/x], write: [/data/x] }\n").unwrap();
    let rules: Vec<_> =
        resolved.policy.files.iter().filter(|rule| rule.path.matches(b"/data/x")).collect();
    assert_eq!(rules.len(), 1);
    assert_eq!(rules[0].access, AccessSet::READ | AccessSet::WRITE);
}

#[test]
fn the_runtime_group_lets_nothing_be_executed_and_nothing_but_devices_be_written() {
    let resolved = resolve("").unwrap();
    for rule in &resolved.policy.files {
        assert!(!rule.access.contains(AccessSet::EXECUTE), "{}", rule.path);
        let device = rule.path.to_string().starts_with("/dev/");
        assert!(device || !rule.access.contains(AccessSet::WRITE), "{}", rule.path);
    }
    assert!(resolved.policy.exec.is_empty());
}

#[test]
fn a_script_is_granted_by_the_text_that_names_it_and_by_where_it_is() {
    let (_directory, play) = playground();
    fs::write(format!("{play}/real.sh"), "").unwrap();
    symlink("real.sh", format!("{play}/run.sh")).unwrap();
    let text = format!("exec: [{{ path: '{play}/run.sh', interpreter: /bin/sh }}]\n");
    let resolved = resolve(&text).unwrap();
    let shell = fs::canonicalize("/bin/sh").unwrap();
    let rules: Vec<_> = resolved.policy.exec.iter().map(|rule| rule.path.to_string()).collect();
    assert_eq!(rules, [format!("{play}/run.sh"), format!("{play}/real.sh")]);
    for rule in &resolved.policy.exec {
        let interpreter = rule.interpreter.as_ref().unwrap();
        assert_eq!(Path::new(&interpreter.to_string()), shell);
    }
}

#[test]
fn a_protected_file_is_known_by_its_identity() {
    let (_directory, play) = playground();
    fs::write(format!("{play}/key"), "secret").unwrap();
    symlink("key", format!("{play}/link")).unwrap();
    let resolved = resolve(&format!("files: {{ protect: ['{play}/link'] }}\n")).unwrap();
    let key = Mounts::read().unwrap().identify(format!("{play}/key").as_ref()).unwrap();
    assert!(resolved.policy.protected.contains(&key.file));
}

#[test]
fn a_protected_file_that_is_missing_is_an_error() {
    let (_directory, play) = playground();
    let text = format!("files: {{ protect: ['{play}/key'] }}\n");
    insta::assert_snapshot!(refusal(&text, &play), @r"
    plugin.yaml:3:20: `/play/key` cannot be protected: No such file or directory (os error 2)
          = create the file first: it is protected by its identity, whatever it is called
    ");
}

#[test]
fn a_protected_directory_is_an_error() {
    let (_directory, play) = playground();
    let text = format!("files: {{ protect: ['{play}'] }}\n");
    insta::assert_snapshot!(refusal(&text, &play), @r"
    plugin.yaml:3:20: `/play` is a directory
          = name the files in it that are never to be opened
    ");
}

#[test]
fn a_grant_of_a_protected_file_by_another_name_is_an_error() {
    let (_directory, play) = playground();
    fs::write(format!("{play}/key"), "secret").unwrap();
    fs::hard_link(format!("{play}/key"), format!("{play}/alias")).unwrap();
    let text = format!("files: {{ read: ['{play}/alias'], protect: ['{play}/key'] }}\n");
    insta::assert_snapshot!(refusal(&text, &play), @r"
    plugin.yaml:3:17: `/play/alias` is the protected file /play/key by another name
          = remove this grant, or grant the file by its own name
    ");
}

#[test]
fn what_is_protected_everywhere_is_released_only_by_its_own_name() {
    let shadow = Mounts::read().unwrap().identify("/etc/shadow".as_ref()).unwrap().file;
    let protects = |text: &str| resolve(text).unwrap().policy.protected.contains(&shadow);
    assert!(protects(""));
    assert!(protects("files: { read: [/etc/**] }\n"));
    assert!(!protects("files: { read: [/etc/shadow] }\n"));
    let (_directory, play) = playground();
    symlink("/etc/shadow", format!("{play}/innocent")).unwrap();
    let text = format!("files: {{ read: ['{play}/innocent'] }}\n");
    insta::assert_snapshot!(refusal(&text, &play), @r"
    plugin.yaml:3:17: `/play/innocent` is the protected file /etc/shadow by another name
          = remove this grant, or grant the file by its own name
    ");
}

#[test]
fn devices_have_the_numbers_of_the_mount_table() {
    let table = b"36 35 98:7 / /mnt rw - ext4 /dev/x rw\n21 1 0:20 / /proc rw - proc p rw\nbad\n";
    let mounts = Mounts::parse(table);
    assert_eq!(mounts.device(36), Some(98 << 20 | 7));
    assert_eq!(mounts.device(21), Some(20));
    assert_eq!(mounts.device(1), None);
}

#[test]
fn a_grant_ends_on_the_clock_of_the_kernel() {
    let text = "exec: [{ path: /bin/true, expires: 2030-01-01T00:01:00Z }]\n";
    let resolved = resolve(text).unwrap();
    let end = KernelTime::from_nanos(3_660_000_000_000);
    assert_eq!(resolved.policy.exec[0].until, Some(end));
}

#[test]
fn a_grant_that_has_ended_is_an_error_at_the_start() {
    let text = "files: { read: [{ path: /data, expires: 2030-01-01T00:00:00Z }] }\n";
    insta::assert_snapshot!(refusal(text, "?"), @r"
    plugin.yaml:3:41: this grant has ended
          = remove the entry, or have its end moved by whoever may grant it
    ");
}

#[test]
fn a_grant_that_has_ended_since_the_start_is_left_out_of_a_refresh() {
    let manifest =
        declaring("files: { read: [{ path: /data, expires: 2029-01-01T00:00:00Z }, /more] }\n");
    let resolved = manifest.resolve(&context(Occasion::Refresh)).unwrap();
    assert_eq!(access(&resolved.policy, "/data"), AccessSet::NONE);
    assert_eq!(access(&resolved.policy, "/more"), AccessSet::READ);
}

#[test]
fn a_name_of_this_machine_becomes_its_addresses() {
    let resolved = resolve("network: { connect: [{ to: localhost, port: 80 }] }\n").unwrap();
    let loopback: IpAddr = [127, 0, 0, 1].into();
    assert!(resolved.addresses["localhost"].contains(&loopback));
    assert_eq!(resolved.policy.connect.len(), resolved.addresses["localhost"].len());
}

#[test]
fn a_name_becomes_one_rule_for_each_of_its_addresses() {
    let manifest = declaring("network: { connect: [{ to: a.example, port: 80-81 }] }\n");
    let known: [IpAddr; 2] = ["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
    let resolved = manifest
        .resolve_with(&context(Occasion::Start), &|name| {
            assert_eq!(name, "a.example");
            Ok(known.to_vec())
        })
        .unwrap();
    let rules: Vec<_> = resolved.policy.connect.iter().map(|r| r.network.to_string()).collect();
    assert_eq!(rules, ["10.0.0.1/32", "fd00::1/128"]);
    assert_eq!(resolved.addresses["a.example"], known);
}

#[test]
fn all_that_does_not_hold_here_is_reported_at_once() {
    let text = "exec: [{ path: /bin/true, expires: 2001-01-01T00:00:00Z }]
files: { protect: [/nonexistent/key] }
network: { connect: [{ to: a.example, port: 1 }] }
";
    let unknown = |_: &str| Err(io::Error::other("unknown"));
    let error = declaring(text).resolve_with(&context(Occasion::Start), &unknown).unwrap_err();
    insta::assert_snapshot!(error, @r"
    plugin.yaml:3:36: this grant has ended
        3 | exec: [{ path: /bin/true, expires: 2001-01-01T00:00:00Z }]
          |                                    ^^^^^^^^^^^^^^^^^^^^
          = remove the entry, or have its end moved by whoever may grant it

    plugin.yaml:4:20: `/nonexistent/key` cannot be protected: No such file or directory (os error 2)
        4 | files: { protect: [/nonexistent/key] }
          |                    ^^^^^^^^^^^^^^^^
          = create the file first: it is protected by its identity, whatever it is called

    plugin.yaml:5:28: `a.example` has no address: unknown
        5 | network: { connect: [{ to: a.example, port: 1 }] }
          |                            ^^^^^^^^^
          = check the name and this machine's resolver, or write the network itself
    ");
}

#[test]
fn the_entry_point_must_have_the_digest_of_the_manifest() {
    let (_directory, play) = playground();
    let entry = format!("{play}/entry");
    fs::write(&entry, "reviewed").unwrap();
    let digest = Digest::of(b"reviewed");
    let text = format!("version: 1\nplugin: {{ name: p, version: 1, digest: '{digest}' }}\n");
    let manifest = parse(&text).unwrap();
    let start = ResolveContext { entry: Some(entry.as_ref()), ..context(Occasion::Start) };
    let found = manifest.resolve(&start).unwrap().entry.unwrap();
    let file = Mounts::read().unwrap().identify(entry.as_ref()).unwrap().file;
    assert_eq!((found.file, found.declared), (file, false));
    fs::write(&entry, "exchanged").unwrap();
    let error = manifest.resolve(&start).unwrap_err();
    insta::assert_snapshot!(shortened(&error, &play), @r"
    plugin.yaml:2:40: /play/entry has the digest sha256:fedcc8d1af5f19c07d75edd2c779d55020e98b260e3b466fb54f26e321e43fd4, not sha256:e4f934f321eb76c9bf8b5103e0a0d9afe72d6e62ace3d3ea849790619bf7487a
          = start the file that was reviewed, or review this one and write its digest here
    ");
}

#[test]
fn a_digest_of_what_somebody_else_starts_is_an_error_and_not_ignored() {
    let digest = Digest::of(b"reviewed");
    let text = format!("version: 1\nplugin: {{ name: p, version: 1, digest: '{digest}' }}\n");
    let somebody_elses = ResolveContext { entry: None, ..context(Occasion::Start) };
    let error = parse(&text).unwrap().resolve(&somebody_elses).unwrap_err();
    insta::assert_snapshot!(shortened(&error, "/-"), @r"
    plugin.yaml:2:40: cannot be verified: Picket does not start this plugin and cannot stop it from starting
          = remove the digest, or start the plugin with `picket exec`
    ");
    assert!(declaring("").resolve(&somebody_elses).unwrap().entry.is_none());
}

#[test]
fn an_entry_point_that_is_not_there_is_an_error() {
    let start = ResolveContext { entry: Some("/nonexistent".as_ref()), ..context(Occasion::Start) };
    let error = declaring("").resolve(&start).unwrap_err();
    insta::assert_snapshot!(error, @"/nonexistent: cannot be started: No such file or directory (os error 2)");
}

#[test]
fn an_entry_point_that_no_rule_covers_is_told_from_one_that_is() {
    let declared = |text| resolve(text).unwrap().entry.unwrap().declared;
    assert!(!declared(""));
    assert!(declared("exec: [{ path: /bin/true }]\n"));
    assert!(declared("files: { execute: [/bin/*] }\n"));
}

#[test]
fn the_device_is_the_superblocks_also_where_stat_says_otherwise() {
    let id = Mounts::read().unwrap().identify("/proc/version".as_ref()).unwrap().file;
    let FileId { device, inode } = id;
    assert_eq!(device >> 20, 0, "proc has no block device");
    assert_ne!((device, inode), (0, 0));
}
