use picket_abi::PATH_SHORT;
use proptest::prelude::*;
use zerocopy::FromBytes;

use super::*;

/// What the kernel side would have written.
fn record(number: i64, flags: u32, directory: &[u8], name: &[u8]) -> Refusal {
    let zeros = vec![0; size_of::<Refusal>()];
    let mut record = *Refusal::ref_from_bytes(&zeros).map_err(drop).unwrap();
    record.number = u32::try_from(number).unwrap();
    record.flags = flags;
    record.name_len = u32::try_from(name.len()).unwrap();
    record.name[..name.len()].copy_from_slice(name);
    let start = PATH_SHORT - directory.len();
    record.directory.path_start = u16::try_from(start).unwrap();
    record.path.bytes[start..PATH_SHORT].copy_from_slice(directory);
    record
}

fn told(record: &Refusal) -> (ObservedPath, AccessSet) {
    match refusal(record).unwrap() {
        Fact::Refused { path, access, .. } => (path, access),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(directory: &str, name: &str, expected: &str) {
    let record = record(libc::SYS_openat, 0, directory.as_bytes(), name.as_bytes());
    let path = ObservedPath::Resolved(expected.as_bytes().to_vec());
    assert!(told(&record).0 == path, "{name} in {directory}");
}

#[test]
fn a_name_starts_from_its_directory() {
    check("/srv", "file", "/srv/file");
    check("/", "/etc/shadow", "/etc/shadow");
    check("/srv", "./a//../b/", "/srv/b");
    check("/srv", "../../../..", "/");
}

#[test]
fn a_name_that_was_cut_or_not_to_be_read_is_not_known() {
    let mut record = record(libc::SYS_openat, 0, b"/srv", b"file");
    record.name_len = u32::try_from(NAME_MAX).unwrap();
    assert!(told(&record).0 == ObservedPath::Unresolved(Unresolved::TooLong));
}

#[test]
fn what_a_call_would_have_done_is_told_by_its_number_and_flags() {
    let (read, write) = (AccessSet::READ, AccessSet::WRITE);
    for (number, flags, expected) in [
        (libc::SYS_open, 0, read),
        (libc::SYS_openat, O_WRONLY, write),
        (libc::SYS_openat2, 2, read.union(write)),
        (libc::SYS_openat, O_CREAT, read.union(write)),
        (libc::SYS_execve, 0, AccessSet::EXECUTE),
        (libc::SYS_unlinkat, 0, write),
        (libc::SYS_renameat2, 0, write),
    ] {
        assert_eq!(told(&record(number, flags, b"/", b"a")).1, expected, "{number} {flags:o}");
    }
}

#[test]
fn a_call_that_takes_no_name_is_impossible() {
    let said = refusal(&record(libc::SYS_getpid, 0, b"/", b"a")).unwrap_err().to_string();
    insta::assert_snapshot!(said, @"a record of kind 23 has the impossible number 39");
}

proptest! {
    #[test]
    fn whatever_the_name_the_path_is_absolute_and_normalised(name in prop::collection::vec(1_u8.., 0..200)) {
        let ObservedPath::Resolved(path) = told(&record(libc::SYS_open, 0, b"/a/b", &name)).0 else {
            panic!("it was read");
        };
        let segments: Vec<_> = path.split(|byte| *byte == b'/').skip(1).collect();
        let fine = |segment: &&[u8]| !matches!(*segment, b"" | b"." | b"..");
        prop_assert!(path == b"/" || segments.iter().all(fine));
    }
}
