//! What is reported is the object that was opened: its device and inode, and its canonical path, whatever led to it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use picket_engine::{FileId, Unresolved};
use serde_json::{Value, json};

use super::actor::Actor;
use super::harness::{eye, mount_namespace, nothing_declared, watched};
use super::place::{Place, identity};
use super::raw;
use super::seen::{Opened, at};

/// What a process knows about a file that it has opened: identity, and the name that `/proc` gives it.
fn truth(file: impl Into<OwnedFd>) -> Value {
    let file = File::from(file.into());
    let FileId { device, inode } = identity(&file);
    let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap();
    json!([device, inode, path.as_os_str().as_bytes()])
}

#[track_caller]
fn agrees(open: &Opened, truth: &Value) {
    let (device, inode) = (truth[0].as_u64().unwrap(), truth[1].as_u64().unwrap());
    assert_eq!(open.file, FileId { device, inode });
    let bytes: Vec<u8> = serde_json::from_value(truth[2].clone()).unwrap();
    assert_eq!(open.path, at(OsStr::from_bytes(&bytes)));
}

/// Opens a file in a sandbox and compares what was seen of it with what its process says.
#[track_caller]
fn check(open: impl FnOnce() -> OwnedFd) -> Opened {
    let (truth, seen) = watched().tell(|| truth(open()));
    let first = seen.opens().into_iter().next().expect("one open at least");
    agrees(&first, &truth);
    first
}

#[track_caller]
pub(crate) fn check_path(path: impl AsRef<Path>) -> Opened {
    check(|| File::open(path.as_ref()).unwrap().into())
}

#[test]
fn ordinary_files_on_every_kind_of_file_system_are_told_apart() {
    let place = Place::new();
    for path in [
        place.file("data").as_path(),
        place.path(),
        Path::new("/"),
        Path::new("/proc/version"),
        Path::new("/sys/kernel"),
        Path::new("/dev/null"),
        Path::new("/dev"),
    ] {
        check_path(path);
    }
}

#[test]
fn a3_every_alias_of_a_file_is_that_file() {
    let place = Place::new();
    let file = place.file("data");
    place.directory("below");
    symlink(&file, place.join("alias")).unwrap();
    symlink(place.path(), place.join("below/up")).unwrap();
    let own = PathBuf::from(format!("/proc/self/root{}", file.display()));
    let aliases = [
        place.join("alias"),
        place.join("below/../data"),
        place.join("below/up/below/up/alias"),
        own,
    ];
    for alias in aliases {
        let open = check_path(&alias);
        assert_eq!(open.path, at(&file), "by {}", alias.display());
    }
}

#[test]
fn a8_a_file_reopened_through_its_descriptor_is_that_file() {
    let place = Place::new();
    let file = place.file("data");
    let open = check(|| {
        let handle = raw::open(&file, libc::O_PATH).unwrap();
        File::open(format!("/proc/self/fd/{}", handle.as_raw_fd())).unwrap().into()
    });
    assert_eq!(open.path, at(&file));
}

#[test]
fn a4_a_bind_mount_is_reported_where_it_is_with_the_identity_of_what_it_shows() {
    let place = Place::new();
    let (secret, alias) = (place.file("secret"), place.file("alias"));
    let mut actor = Actor::start(|| {
        raw::own_mounts().unwrap();
        raw::bind_mount(&secret, &alias).unwrap();
        json!([truth(File::open(&alias).unwrap()), truth(File::open(&secret).unwrap())])
    });
    let sandbox = eye().watch_in(&nothing_declared(), 0);
    sandbox.admit(&actor);
    let told = actor.act();
    let opens = sandbox.seen().opens();
    let of = |path: &Path| opens.iter().find(|open| open.path == at(path)).unwrap();
    agrees(of(&alias), &told[0]);
    agrees(of(&secret), &told[1]);
    assert_eq!(of(&alias).file, of(&secret).file);
}

#[test]
fn a4_a_changed_root_does_not_shorten_a_path() {
    let place = Place::new();
    let secret = place.file("secret");
    let seen = watched().act(|| {
        std::os::unix::fs::chroot(place.path()).unwrap();
        drop(File::open("/secret").unwrap());
    });
    assert_eq!(seen.paths(), [at(&secret)]);
}

#[test]
fn a4_a_detached_mount_has_no_path() {
    let place = Place::new();
    let secret = place.file("secret");
    let inode = identity(&File::open(&secret).unwrap()).inode;
    let seen = watched().act(|| {
        let clone = raw::detached_clone(place.path()).unwrap();
        drop(raw::open_at(clone.as_raw_fd(), "secret", libc::O_RDONLY).unwrap());
    });
    let opens = seen.opens();
    let last = opens.last().unwrap();
    assert_eq!((last.path.clone(), last.file.inode), (Err(Unresolved::Detached), inode));
}

#[test]
fn a8_a_file_of_another_mount_namespace_has_no_path() {
    let place = Place::new();
    let secret = place.file("secret");
    let outside = std::process::id();
    let mut actor = Actor::start(|| {
        raw::own_mounts().unwrap();
        json!(mount_namespace("self"))
    });
    let told = actor.act();
    let inside = u32::try_from(told.as_u64().unwrap()).unwrap();
    assert_ne!(inside, mount_namespace("self"));

    let sandbox = eye().watch_in(&nothing_declared(), inside);
    let mut actor = Actor::start(|| {
        raw::own_mounts().unwrap();
        let path = format!("/proc/{outside}/root{}", secret.display());
        json!([mount_namespace("self"), truth(File::open(path).unwrap())])
    });
    sandbox.admit(&actor);
    let told = actor.act();
    let opens = sandbox.seen().opens();
    let inode = told[1][1].as_u64().unwrap();
    let open = opens.iter().find(|open| open.file.inode == inode).unwrap();
    assert_eq!(open.path, Err(Unresolved::Detached));
}

#[test]
fn an_unlinked_file_has_no_name_and_no_links() {
    let place = Place::new();
    let file = place.file("data");
    let seen = watched().act(|| {
        let handle = raw::open(&file, libc::O_PATH).unwrap();
        fs::remove_file(&file).unwrap();
        drop(File::open(format!("/proc/self/fd/{}", handle.as_raw_fd())).unwrap());
    });
    let opens = seen.opens();
    assert_eq!((opens[0].path.clone(), opens[0].links), (Err(Unresolved::NoName), 0));
}

#[test]
fn a_file_in_memory_has_no_name() {
    let (told, seen) = watched().tell(|| {
        let memory = raw::memfd().unwrap();
        let again = File::open(format!("/proc/self/fd/{}", memory.as_raw_fd())).unwrap();
        json!(std::os::unix::fs::MetadataExt::ino(&again.metadata().unwrap()))
    });
    let opens = seen.opens();
    assert_eq!(opens[0].path, Err(Unresolved::NoName));
    assert_eq!(Some(opens[0].file.inode), told.as_u64());
}
