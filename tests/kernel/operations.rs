//! What is done with files otherwise than by opening them: the tier `lsm` reports each name with the object, and judges
//! it as writing; the tier `trace` has the calls' numbers and says so.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::thread;
use std::time::Instant;

use picket_engine::{
    AccessSet, Capability, FileOperation, FileRule, Pattern, Policy, Reason, Unresolved,
};
use picket_tests::PATIENCE;
use serde_json::json;

use super::actor::Actor;
use super::harness::{nothing_declared, says_it_is_not_seen, sees_objects, watched};
use super::place::{Place, identity};
use super::raw;
use super::seen::{Seen, at};

const UNSEEN: &str = "Changes of files other than opens";

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().ino()
}

/// A policy that lets a directory be written to, and protects one file by whatever name.
fn writable(place: &Place, protected: &Path) -> Policy {
    let path = Pattern::parse(&format!("{}/**", place.path().display())).unwrap();
    let access = AccessSet::READ | AccessSet::WRITE;
    Policy {
        files: vec![FileRule { path, access, until: None }],
        protected: [identity(&File::open(protected).unwrap())].into(),
        ..nothing_declared()
    }
}

/// One act that the tier `lsm` reports; in the tier `trace` it is a stated gap, and the call's number is there.
#[track_caller]
fn seen_by_object(seen: &Seen, call: libc::c_long, expected: &[(FileOperation, &Path, u64)]) {
    assert!(1 <= seen.times(call), "the call's number");
    if !sees_objects() {
        assert_eq!(seen.operations(), []);
        return says_it_is_not_seen(UNSEEN);
    }
    let expected: Vec<_> =
        expected.iter().map(|(done, path, inode)| (*done, at(path), *inode)).collect();
    assert_eq!(seen.operations(), expected);
}

#[test]
fn a10_what_is_made_is_reported_by_its_name() {
    let place = Place::new();
    let (directory, pipe, link) = (place.join("directory"), place.join("pipe"), place.join("link"));
    let seen = watched().act(|| fs::create_dir(&directory).unwrap());
    seen_by_object(&seen, libc::SYS_mkdir, &[(FileOperation::Mkdir, &directory, 0)]);
    let seen = watched().act(|| raw::make_pipe(&pipe).unwrap());
    seen_by_object(&seen, libc::SYS_mknod, &[(FileOperation::Mknod, &pipe, 0)]);
    let seen = watched().act(|| symlink("/etc/shadow", &link).unwrap());
    seen_by_object(&seen, libc::SYS_symlink, &[(FileOperation::Symlink, &link, 0)]);
}

#[test]
fn a10_what_is_removed_is_reported_with_what_it_was() {
    let place = Place::new();
    let (file, directory) = (place.file("file"), place.directory("directory"));
    let inodes = [inode(&file), inode(&directory)];
    let seen = watched().act(|| fs::remove_file(&file).unwrap());
    seen_by_object(&seen, libc::SYS_unlink, &[(FileOperation::Unlink, &file, inodes[0])]);
    let seen = watched().act(|| fs::remove_dir(&directory).unwrap());
    seen_by_object(&seen, libc::SYS_rmdir, &[(FileOperation::Rmdir, &directory, inodes[1])]);
}

#[test]
fn a10_a_rename_is_reported_by_both_names_with_what_it_destroys() {
    let place = Place::new();
    let (from, to) = (place.file("from"), place.file("to"));
    let inodes = [inode(&from), inode(&to)];
    let seen = watched().act(|| fs::rename(&from, &to).unwrap());
    let expected =
        [(FileOperation::Rename, &*from, inodes[0]), (FileOperation::RenameTo, &to, inodes[1])];
    seen_by_object(&seen, libc::SYS_rename, &expected);
}

#[test]
fn a5_a_hard_link_is_reported_by_both_names() {
    let place = Place::new();
    let (file, link) = (place.file("file"), place.join("link"));
    let of_file = inode(&file);
    let seen = watched().act(|| fs::hard_link(&file, &link).unwrap());
    let expected = [(FileOperation::Link, &*file, of_file), (FileOperation::LinkTo, &link, 0)];
    seen_by_object(&seen, libc::SYS_linkat, &expected);
}

#[test]
fn a9_a_file_that_is_cut_by_its_path_is_reported_without_an_open() {
    let place = Place::new();
    let file = place.file("file");
    let seen = watched().act(|| raw::truncate(&file, 0).unwrap());
    seen_by_object(&seen, libc::SYS_truncate, &[(FileOperation::Truncate, &file, inode(&file))]);
    assert_eq!(seen.opens(), []);
}

#[test]
fn a10_permissions_and_owners_that_are_changed_are_reported() {
    let place = Place::new();
    let file = place.file("file");
    let number = inode(&file);
    let seen =
        watched().act(|| fs::set_permissions(&file, fs::Permissions::from_mode(0o4755)).unwrap());
    seen_by_object(&seen, libc::SYS_chmod, &[(FileOperation::Chmod, &file, number)]);
    let seen = watched().act(|| chown(&file, Some(0), Some(0)).unwrap());
    seen_by_object(&seen, libc::SYS_chown, &[(FileOperation::Chown, &file, number)]);
}

#[test]
fn the_same_change_again_is_counted_and_not_sent() {
    if !sees_objects() {
        return says_it_is_not_seen(UNSEEN);
    }
    let place = Place::new();
    let file = place.file("file");
    let seen = watched().act(|| {
        for _ in 0..100 {
            raw::truncate(&file, 0).unwrap();
        }
    });
    assert_eq!(seen.operations().len(), 1);
    assert_eq!(seen.counts["file_operation"].aggregated, 99);
}

/// Whatever is done to a protected file in a place where everything may be written to.
#[track_caller]
fn finds_the_protected_file(act: impl FnOnce(&Place, &Path)) {
    let place = Place::new();
    let secret = place.file("secret");
    let policy = writable(&place, &secret);
    let seen = watched().act(|| act(&place, &secret));
    if !sees_objects() {
        assert_eq!(seen.operations(), []);
        return says_it_is_not_seen(UNSEEN);
    }
    assert_eq!(seen.verdicts(&policy), [(Capability::Files, Reason::ProtectedInode)]);
}

#[test]
fn a5_a_link_to_a_protected_file_is_a_finding() {
    finds_the_protected_file(|place, secret| fs::hard_link(secret, place.join("link")).unwrap());
}

#[test]
fn a5_a_protected_file_that_is_renamed_is_a_finding() {
    finds_the_protected_file(|place, secret| fs::rename(secret, place.join("else")).unwrap());
}

#[test]
fn a10_a_file_that_is_renamed_over_a_protected_one_is_a_finding() {
    finds_the_protected_file(|place, secret| fs::rename(place.file("new"), secret).unwrap());
}

#[test]
fn a9_a_protected_file_that_is_cut_is_a_finding() {
    finds_the_protected_file(|_, secret| raw::truncate(secret, 0).unwrap());
}

#[test]
fn a10_a_protected_file_that_is_removed_is_a_finding() {
    finds_the_protected_file(|_, secret| fs::remove_file(secret).unwrap());
}

#[test]
fn a10_a_protected_file_whose_permissions_change_is_a_finding() {
    finds_the_protected_file(|_, secret| {
        fs::set_permissions(secret, fs::Permissions::from_mode(0o666)).unwrap();
    });
}

#[test]
fn a10_what_a_rule_to_write_covers_is_no_finding() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let policy = writable(&place, &elsewhere.file("secret"));
    let [one, two] = ["one", "two"].map(|name| place.file(name));
    let seen = watched().act(|| {
        fs::rename(&one, &two).unwrap();
        fs::hard_link(&two, &one).unwrap();
        fs::create_dir(place.join("directory")).unwrap();
        fs::remove_dir(place.join("directory")).unwrap();
        fs::remove_file(&one).unwrap();
        raw::truncate(&two, 0).unwrap();
    });
    assert_eq!(seen.verdicts(&policy), []);
}

#[test]
fn a10_a_name_that_no_rule_covers_is_a_finding_also_as_the_second_of_two() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let policy = writable(&place, &elsewhere.file("secret"));
    let file = place.file("file");
    let seen = watched().act(|| fs::rename(&file, elsewhere.join("gone")).unwrap());
    if !sees_objects() {
        return says_it_is_not_seen(UNSEEN);
    }
    assert_eq!(seen.verdicts(&policy), [(Capability::Files, Reason::UndeclaredPath)]);
}

#[test]
fn a_file_that_an_open_creates_is_one_finding() {
    let place = Place::new();
    let seen = watched().act(|| drop(File::create(place.join("new")).unwrap()));
    let finding = (Capability::Files, Reason::UndeclaredPath);
    assert_eq!(seen.verdicts(&nothing_declared()), [finding]);
}

#[test]
fn a_file_without_a_name_has_none_when_it_is_changed() {
    if !sees_objects() {
        return says_it_is_not_seen(UNSEEN);
    }
    let seen = watched().act(|| {
        let memory = File::from(raw::memfd().unwrap());
        memory.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
    });
    let names: Vec<_> = seen.operations().into_iter().map(|(done, path, _)| (done, path)).collect();
    assert_eq!(names, [(FileOperation::Chmod, Err(Unresolved::NoName))]);
}

#[test]
fn a15_what_is_copied_between_descriptors_was_judged_when_it_was_opened() {
    let place = Place::new();
    let (from, to) = (place.file("from"), place.file("to"));
    let seen = watched().act(|| {
        let mut from = File::open(&from).unwrap();
        let mut to = File::options().write(true).open(&to).unwrap();
        // `copy_file_range`, `sendfile` or `splice`, whichever the file system can.
        std::io::copy(&mut from, &mut to).unwrap();
    });
    assert_eq!(seen.paths(), [at(&from), at(&to)]);
}

#[test]
fn a16_a_descriptor_that_is_received_is_judged_as_an_open() {
    let place = Place::new();
    let file = place.file("data");
    let socket = place.join("socket");
    let sender = UnixDatagram::unbound().unwrap();
    let kept = File::open(&file).unwrap();
    let mut actor = Actor::start(|| {
        let receiver = UnixDatagram::bind(&socket).unwrap();
        // Waits for the message, which is sent as soon as there is somebody to send to.
        drop(raw::take(&receiver).unwrap());
        json!(null)
    });
    let sandbox = watched();
    sandbox.admit(&actor);
    actor.begin();
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = sender.connect(&socket) {
        assert!(Instant::now() < deadline, "nobody listens: {error}");
        thread::yield_now();
    }
    raw::pass(&sender, kept.as_fd()).unwrap();
    actor.finish();
    let seen = sandbox.seen();
    if !sees_objects() {
        return says_it_is_not_seen("Descriptors the plugin receives");
    }
    let received: Vec<_> = seen
        .operations()
        .into_iter()
        .filter(|(done, ..)| *done == FileOperation::Receive)
        .collect();
    assert_eq!(received, [(FileOperation::Receive, at(&file), inode(&file))]);
    assert!(
        seen.verdicts(&nothing_declared()).contains(&(Capability::Files, Reason::UndeclaredPath))
    );
}

#[test]
fn a17_a_descriptor_that_is_copied_from_another_process_is_judged_as_an_open() {
    let place = Place::new();
    let file = place.file("data");
    let kept = File::open(&file).unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&kept);
    let picket = std::process::id();
    let seen = watched().act(|| drop(raw::descriptor_of(picket, number).unwrap()));
    assert_eq!(seen.times(libc::SYS_pidfd_getfd), 1);
    if !sees_objects() {
        return says_it_is_not_seen("Descriptors the plugin receives");
    }
    assert_eq!(seen.operations(), [(FileOperation::Receive, at(&file), inode(&file))]);
    let findings =
        [(Capability::Danger, Reason::ForeignProcess), (Capability::Files, Reason::UndeclaredPath)];
    // Newer kernels open the handle of the process before, which has no name.
    assert!(seen.verdicts(&nothing_declared()).ends_with(&findings));
}
