//! Long, deep and hostile paths arrive whole, or not at all and with the reason.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use picket_engine::Unresolved;

use super::harness::watched;
use super::identity::check_path;
use super::place::Place;
use super::seen::at;

#[test]
fn f12_a_path_as_long_as_the_kernel_allows_is_reported_whole() {
    let place = Place::new();
    let name = "n".repeat(200);
    // Two long names pass the room of an ordinary record; nineteen come close to what any path may have.
    for depth in [1, 2, 3, 19] {
        let directory: PathBuf = std::iter::repeat_n(name.as_str(), depth).collect();
        fs::create_dir_all(place.join(&directory)).unwrap();
        let file = place.file(directory.join("data"));
        let open = check_path(&file);
        assert_eq!(open.path, at(&file), "{} bytes", file.as_os_str().len());
    }
}

/// Goes down by relative steps, as one must below the longest path a call takes.
fn descend(name: &str, steps: usize) {
    for _ in 0..steps {
        fs::create_dir_all(name).unwrap();
        std::env::set_current_dir(name).unwrap();
    }
    fs::write("data", "deep").unwrap();
}

#[test]
fn f12_a_path_longer_than_any_call_takes_is_unresolved_and_never_cut() {
    let place = Place::new();
    let name = "n".repeat(250);
    let seen = watched().act(|| {
        std::env::set_current_dir(place.path()).unwrap();
        descend(&name, 20);
    });
    let opens = seen.opens();
    assert_eq!(opens.last().unwrap().path, Err(Unresolved::TooLong));
    assert_ne!(opens.last().unwrap().file.inode, 0);
}

#[test]
fn f12_a_path_with_more_directories_than_are_walked_is_unresolved() {
    let place = Place::new();
    for (steps, is_resolved) in [(80, true), (100, false)] {
        let seen = watched().act(|| {
            std::env::set_current_dir(place.path()).unwrap();
            descend("d", steps);
        });
        let path = seen.opens().last().unwrap().path.clone();
        if is_resolved {
            assert!(path.unwrap().ends_with("d/d/data"), "{steps} directories");
        } else {
            assert_eq!(path, Err(Unresolved::TooDeep), "{steps} directories");
        }
    }
}

#[test]
fn f12_hostile_names_arrive_byte_for_byte() {
    let place = Place::new();
    let names: [&[u8]; 7] = [
        b"two\nlines",
        b"\x1b[31mred\x1b[0m",
        b"not \xff\xfe utf-8",
        b"back\\slash*?",
        b" ",
        b"...",
        b"name (deleted)",
    ];
    for name in names {
        check_path(place.file(OsStr::from_bytes(name)));
    }
    let longest = [b'x'; 255];
    check_path(place.file(OsStr::from_bytes(&longest)));
}
