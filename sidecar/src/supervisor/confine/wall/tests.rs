use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use picket_engine::{ExecRule, FileRule};

use super::*;

/// A directory unless it is in the list.
const STANDS: [(&str, Stands); 11] = [
    ("/etc/hosts", Stands::File),
    ("/data/out", Stands::File),
    ("/data/tool", Stands::File),
    ("/usr/bin/tool", Stands::File),
    ("/usr/lib/loader", Stands::File),
    ("/dev/null", Stands::Other),
    ("/etc/missing", Stands::Nothing),
    ("/data/absent", Stands::Nothing),
    ("/data/absent/deep", Stands::Nothing),
    ("/gone", Stands::Nothing),
    ("/gone/below", Stands::Nothing),
];

fn look(path: &Path) -> Stands {
    let known = STANDS.iter().find(|(place, _)| path == Path::new(place));
    known.map_or(Stands::Directory, |(_, stands)| *stands)
}

fn policy(rules: &[(&str, AccessSet)]) -> Policy {
    let rule = |(path, access): &(&str, AccessSet)| FileRule {
        path: Pattern::parse(path).unwrap(),
        access: *access,
        until: None,
    };
    Policy { files: rules.iter().map(rule).collect(), ..Policy::nothing_declared() }
}

fn wall(rules: &[(&str, AccessSet)]) -> Wall {
    Wall::around(&policy(rules), Path::new("/usr/bin/entry"), &BTreeSet::new(), look)
}

impl Wall {
    /// As the kernel adds it up: by what is at a place and above it.
    fn at(&self, path: &Path) -> Ways {
        let on_the_way = path.ancestors().filter_map(|place| self.rules.get(place));
        on_the_way.fold(Ways::NONE, |all, ways| all.and(*ways))
    }
}

const READ: AccessSet = AccessSet::READ;
const WRITE: AccessSet = AccessSet::WRITE;
const BOTH: AccessSet = READ.union(WRITE);

#[track_caller]
fn check(rules: &[(&str, AccessSet)], path: &str, expected: Ways) {
    assert_eq!(wall(rules).at(Path::new(path)), expected, "{path} with {rules:?}");
}

const RUN: Ways = Ways::READ.and(Ways::EXECUTE);
const MAKE: Ways = Ways::WRITE;

#[test]
fn nothing_is_open_where_nothing_is_declared_but_the_entry_point() {
    let wall = wall(&[]);
    assert_eq!(wall.rules, BTreeMap::from([("/usr/bin/entry".into(), RUN)]));
}

#[test]
fn a_pattern_opens_the_deepest_directory_that_it_spells_out() {
    let rules = [("/usr/lib/**/*.so", READ)];
    check(&rules, "/usr/lib/any/thing", RUN.and(Ways::LIST));
    check(&rules, "/usr/share", Ways::NONE);
}

#[test]
fn a_file_that_is_only_read_opens_itself_alone() {
    check(&[("/etc/hosts", READ)], "/etc/hosts", RUN.and(Ways::LIST));
    check(&[("/etc/hosts", READ)], "/etc/shadow", Ways::NONE);
}

#[test]
fn a_directory_that_is_spelled_out_may_be_listed_and_no_more() {
    check(&[("/etc", READ)], "/etc/shadow", Ways::LIST);
    check(&[("/etc", WRITE)], "/etc/shadow", Ways::NONE);
}

#[test]
fn a_file_that_may_be_written_may_be_made_anew_in_its_directory() {
    check(&[("/data/out", WRITE)], "/data/other", MAKE);
}

#[test]
fn a_device_that_may_be_written_opens_itself_alone() {
    check(&[("/dev/null", BOTH)], "/dev/sda", Ways::NONE);
}

#[test]
fn what_is_not_there_opens_the_nearest_directory_above() {
    check(&[("/data/absent/deep/*", BOTH)], "/data/other", BOTH_TREE);
    check(&[("/etc/missing", READ)], "/etc/shadow", RUN.and(Ways::LIST));
}

const BOTH_TREE: Ways = Ways::READ.and(Ways::WRITE).and(Ways::LIST);

#[test]
fn what_is_not_there_and_is_nobodys_wish_opens_nothing() {
    let rules = policy(&[("/etc/missing", READ)]);
    let idle = BTreeSet::from([Pattern::parse("/etc/missing").unwrap()]);
    let wall = Wall::around(&rules, Path::new("/usr/bin/entry"), &idle, look);
    assert_eq!(wall.at(Path::new("/etc/shadow")), Ways::NONE);
}

#[test]
fn a_file_of_proc_opens_proc_whose_files_do_not_stay_the_same() {
    check(&[("/proc/filesystems", READ)], "/proc/meminfo", RUN.and(Ways::LIST));
}

#[test]
fn what_may_be_written_may_not_be_run() {
    check(&[("/data/**", BOTH), ("/usr/lib/**", READ)], "/data/dropped", BOTH_TREE);
}

#[test]
fn a_program_among_what_may_be_written_may_be_made_anew() {
    let mut rules = policy(&[("/data/**", BOTH)]);
    let path = Pattern::parse("/data/tool").unwrap();
    rules.exec.push(ExecRule { path, interpreter: None, argv: None, until: None });
    let wall = Wall::around(&rules, Path::new("/usr/bin/entry"), &BTreeSet::new(), look);
    assert_eq!(wall.at(Path::new("/data/new")), BOTH_TREE.and(Ways::EXECUTE));
}

#[test]
fn a_plugin_that_may_mount_has_no_wall_because_landlock_would_not_let_it() {
    assert!(Wall::can_stand(SyscallSet::of(&[0, 1, 2])));
    assert!(!Wall::can_stand(SyscallSet::of(&[0, 165])));
}

/// Patterns of everything that makes a difference.
const PATTERNS: [&str; 16] = [
    "/**",
    "/data/**",
    "/data/*",
    "/data/out",
    "/data/tool",
    "/data/sub/*.txt",
    "/data/sub/**",
    "/other/**",
    "/other/a*/b",
    "/etc/hosts",
    "/etc/*",
    "/usr/bin/tool",
    "/usr/lib/**/*.so",
    "/usr/lib/loader",
    "/dev/null",
    "/gone/below/*",
];

const PATHS: [&str; 14] = [
    "/data/out",
    "/data/tool",
    "/data/new",
    "/data/sub/a.txt",
    "/data/sub/deep/b",
    "/other/abc/b",
    "/other/x",
    "/etc/hosts",
    "/etc/passwd",
    "/usr/bin/tool",
    "/usr/lib/x/y.so",
    "/usr/lib/loader",
    "/dev/null",
    "/gone/below/c",
];

fn access() -> impl Strategy<Value = AccessSet> {
    let each = [READ, WRITE, AccessSet::EXECUTE];
    subsequence(each.to_vec(), 1..=3)
        .prop_map(|some| some.into_iter().fold(AccessSet::NONE, AccessSet::union))
}

fn policies() -> impl Strategy<Value = Policy> {
    let files = prop::collection::vec((select(&PATTERNS[..]), access()), 0..6);
    let programs = prop::collection::vec(select(&PATTERNS[..]), 0..3);
    (files, programs).prop_map(|(files, programs)| {
        let run = |path: &str| ExecRule {
            path: Pattern::parse(path).unwrap(),
            interpreter: None,
            argv: None,
            until: None,
        };
        Policy { exec: programs.into_iter().map(run).collect(), ..policy(&files) }
    })
}

proptest! {
    #[test]
    fn what_is_declared_is_never_refused(policy in policies(), path in select(&PATHS[..])) {
        let wall = Wall::around(&policy, Path::new("/usr/bin/entry"), &BTreeSet::new(), look);
        let found = wall.at(Path::new(path));
        let directory = wall.at(Path::new(path).parent().unwrap());
        for rule in policy.files.iter().filter(|rule| rule.path.matches(path.as_bytes())) {
            let declared = Ways::of(rule.access);
            prop_assert!(found.contains(declared), "{path} by {rule:?} has {found:?}");
            // Making and removing are asked of the directory. A device is not made anew.
            let makes = rule.access.contains(WRITE) && look(Path::new(path)) != Stands::Other;
            prop_assert!(!makes || directory.contains(Ways::WRITE), "{path} by {rule:?}");
        }
        for rule in policy.exec.iter().filter(|rule| rule.path.matches(path.as_bytes())) {
            prop_assert!(found.contains(RUN), "{path} by {rule:?} has {found:?}");
        }
    }

    #[test]
    fn a_loader_that_may_be_read_and_not_written_may_be_opened_for_a_program(
        policy in policies(),
        path in select(&PATHS[..]),
    ) {
        let wall = Wall::around(&policy, Path::new("/usr/bin/entry"), &BTreeSet::new(), look);
        let found = wall.at(Path::new(path));
        let reads = policy.files.iter().any(|rule| {
            rule.access.contains(READ) && rule.path.matches(path.as_bytes())
        });
        prop_assert!(!reads || found.contains(Ways::WRITE) || found.contains(Ways::EXECUTE));
    }

    #[test]
    fn between_places_that_may_be_written_everything_may_be_moved(
        policy in policies(),
        from in select(&PATHS[..]),
        to in select(&PATHS[..]),
    ) {
        let wall = Wall::around(&policy, Path::new("/usr/bin/entry"), &BTreeSet::new(), look);
        let directory = |path| wall.at(Path::new(path).parent().unwrap());
        let (from, to) = (directory(from), directory(to));
        if from.contains(Ways::WRITE) && to.contains(Ways::WRITE) {
            // The kernel refuses a move to where more is allowed.
            prop_assert!(from.contains(to), "{from:?} to {to:?}");
        }
    }
}
