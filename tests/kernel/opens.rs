//! An opened file is reported once, whichever call opened it and however it is called.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;

use picket_engine::AccessSet;

use super::harness::watched;
use super::place::{Place, opened};
use super::raw;

const READ: AccessSet = AccessSet::READ;
const WRITE: AccessSet = AccessSet::WRITE;

#[test]
fn a_file_opened_to_read_is_reported_once() {
    let place = Place::new();
    let file = place.file("data");
    let seen = watched().act(|| drop(File::open(&file).unwrap()));
    assert_eq!(seen.opens(), [opened(&file, READ)]);
}

#[test]
fn a_file_opened_to_write_is_reported_with_that_access() {
    let place = Place::new();
    let file = place.file("data");
    let seen = watched().act(|| {
        drop(OpenOptions::new().write(true).open(&file).unwrap());
        drop(OpenOptions::new().read(true).write(true).open(&file).unwrap());
        drop(OpenOptions::new().append(true).open(&file).unwrap());
    });
    // Appending is writing: the third open shows nothing new.
    assert_eq!(seen.opens(), [opened(&file, WRITE), opened(&file, READ | WRITE)]);
    assert_eq!(seen.counts["open"].aggregated, 1);
}

#[test]
fn a_file_that_the_open_creates_is_reported() {
    let place = Place::new();
    let file = place.join("new");
    let seen = watched().act(|| drop(File::create(&file).unwrap()));
    assert_eq!(seen.opens(), [opened(&file, WRITE)]);
}

#[test]
fn a2_every_call_of_the_open_family_is_seen() {
    let place = Place::new();
    let files = ["open", "openat", "openat2", "creat"].map(|name| place.file(name));
    let seen = watched().act(|| {
        drop(raw::old_open(&files[0]).unwrap());
        drop(raw::open(&files[1], libc::O_RDONLY).unwrap());
        drop(raw::openat2(&files[2]).unwrap());
        drop(raw::create(&files[3]).unwrap());
    });
    let expected = [
        opened(&files[0], READ),
        opened(&files[1], READ),
        opened(&files[2], READ),
        opened(&files[3], WRITE),
    ];
    assert_eq!(seen.opens(), expected);
}

#[test]
fn a6_a_file_opened_by_its_handle_is_reported() {
    let place = Place::new();
    let file = place.file("data");
    // The name is told apart from others only while the kernel remembers it.
    let held = File::open(&file).unwrap();
    let seen = watched().act(|| {
        let opened = raw::open_by_handle(&file);
        drop(opened.unwrap_or_else(|error| panic!("open_by_handle_at: {error}")));
    });
    drop(held);
    assert_eq!(seen.opens().last(), Some(&opened(&file, READ)));
    assert_eq!(seen.times(libc::SYS_open_by_handle_at), 1);
}

#[test]
fn a_file_opened_relative_to_a_directory_is_reported_by_its_whole_path() {
    let place = Place::new();
    let file = place.file("data");
    let seen = watched().act(|| {
        let directory = File::open(place.path()).unwrap();
        drop(raw::open_at(directory.as_raw_fd(), "data", libc::O_RDONLY).unwrap());
        std::env::set_current_dir(place.path()).unwrap();
        drop(File::open("./data").unwrap());
    });
    assert_eq!(seen.opens(), [opened(place.path(), READ), opened(&file, READ)]);
    assert_eq!(seen.counts["open"].aggregated, 1);
}

#[test]
fn a_file_opened_again_is_counted_and_not_sent() {
    let place = Place::new();
    let file = place.file("data");
    let seen = watched().act(|| {
        for _ in 0..100 {
            drop(File::open(&file).unwrap());
        }
    });
    assert_eq!(seen.opens(), [opened(&file, READ)]);
    assert_eq!(seen.counts["open"].aggregated, 99);
}

#[test]
fn a3_a_symbolic_link_leads_to_the_same_report() {
    let place = Place::new();
    let file = place.file("data");
    symlink(&file, place.join("alias")).unwrap();
    let seen = watched().act(|| {
        drop(File::open(place.join("alias")).unwrap());
        drop(File::open(&file).unwrap());
    });
    assert_eq!(seen.opens(), [opened(&file, READ)]);
}

#[test]
fn a5_a_hard_link_is_reported_by_its_own_name_with_the_same_identity() {
    let place = Place::new();
    let file = place.file("data");
    let link = place.join("link");
    fs::hard_link(&file, &link).unwrap();
    let seen = watched().act(|| {
        drop(File::open(&file).unwrap());
        drop(File::open(&link).unwrap());
        drop(File::open(&link).unwrap());
    });
    let expected = [opened(&file, READ), opened(&link, READ)];
    assert_eq!(expected[0].file, expected[1].file);
    assert_eq!(seen.opens(), expected);
}

#[test]
fn a5_a_file_renamed_is_reported_again_by_its_new_name() {
    let place = Place::new();
    let file = place.file("data");
    let renamed = place.join("renamed");
    let seen = watched().act(|| {
        drop(File::open(&file).unwrap());
        fs::rename(&file, &renamed).unwrap();
        drop(File::open(&renamed).unwrap());
    });
    assert_eq!(seen.paths(), [Ok(file), Ok(renamed)]);
}

#[test]
fn a_file_put_in_the_place_of_another_is_reported_again() {
    let place = Place::new();
    let (file, other) = (place.file("data"), place.file("other"));
    let seen = watched().act(|| {
        drop(File::open(&file).unwrap());
        fs::rename(&other, &file).unwrap();
        drop(File::open(&file).unwrap());
    });
    let inodes: Vec<u64> = seen.opens().iter().map(|open| open.file.inode).collect();
    assert_eq!(inodes.len(), 2);
    assert_ne!(inodes[0], inodes[1]);
}

#[test]
fn a7_a_path_only_descriptor_is_no_open_but_its_reopening_is() {
    let place = Place::new();
    let file = place.file("data");
    let sandbox = watched();
    let seen = sandbox.act(|| drop(raw::open(&file, libc::O_PATH).unwrap()));
    assert_eq!(seen.opens(), []);
    let seen = sandbox.act(|| {
        let handle = raw::open(&file, libc::O_PATH).unwrap();
        drop(File::open(format!("/proc/self/fd/{}", handle.as_raw_fd())).unwrap());
    });
    assert_eq!(seen.opens(), [opened(&file, READ)]);
}

#[test]
fn a_failed_open_is_no_open() {
    let place = Place::new();
    let seen = watched().act(|| drop(File::open(place.join("absent")).unwrap_err()));
    assert_eq!(seen.opens(), []);
}
