//! Takes the kernel's controls out of a plugin's reach, by what is mounted where it can see.
//!
//! uid 0 without capabilities may still write every file that belongs to root, and many such files
//! steer the kernel. Two measures, both in a mount namespace of the sandbox's own:
//!
//! * each cgroup2 mount shows the sandbox's own cgroup and nothing else. Read-only would not do:
//!   `clone3(CLONE_INTO_CGROUP)` into another cgroup works on a directory of a read-only mount
//!   (seen on 6.18);
//! * every file system that steers the kernel, and that part of `/proc`, is read-only.
//!
//! A plugin cannot undo it: that takes CAP_SYS_ADMIN over this namespace, and a user namespace of
//! its own only gets locked copies. A manifest that declares CAP_SYS_ADMIN declares this too.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use super::super::mounts::{self, Mount, PROC_CONTROLS};
use super::super::sys::mount;
use super::super::wire::Step;
use super::{During, Fault};

/// Enters a mount namespace in which only `sandbox` is left of the cgroup tree and no control of
/// the kernel can be written.
pub(super) fn isolate(sandbox: &Path) -> Result<(), Fault> {
    mount::enter_private_namespace().during(Step::MountNamespace)?;
    show_only(sandbox).during(Step::OwnCgroupOnly)?;
    make_controls_read_only().during(Step::ReadOnlyControls)
}

fn show_only(sandbox: &Path) -> io::Result<()> {
    let mounts = own_mounts()?;
    let own = mount::locate(sandbox)?;
    let mut covers = Vec::new();
    // All covers are made before the first is put up: it hides the sandbox's own path.
    for shown in mounts::reachable(&mounts, Mount::is_cgroup2) {
        covers.push((mount::clone_tree(own.as_fd())?, mount::locate(&shown.point)?));
    }
    for (cover, place) in covers {
        mount::cover(cover.as_fd(), place.as_fd())?;
    }
    Ok(())
}

fn make_controls_read_only() -> io::Result<()> {
    let mounts = own_mounts()?;
    for shown in mounts::reachable(&mounts, Mount::controls_the_kernel) {
        mount::make_read_only(mount::locate(&shown.point)?.as_fd())?;
    }
    for proc in mounts::reachable(&mounts, Mount::is_proc) {
        for name in PROC_CONTROLS {
            let place = match mount::locate(&proc.point.join(name)) {
                // Which of them exist depends on how the kernel was built.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                outcome => outcome?,
            };
            let cover = mount::clone_tree(place.as_fd())?;
            mount::make_read_only(cover.as_fd())?;
            mount::cover(cover.as_fd(), place.as_fd())?;
        }
    }
    Ok(())
}

fn own_mounts() -> io::Result<Vec<Mount>> {
    Ok(mounts::parse(&fs::read("/proc/self/mountinfo")?))
}
