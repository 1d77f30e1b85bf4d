//! The canonical path of an opened file, walked from its dentry up to the root of its mount namespace.
//!
//! `bpf_d_path` stops at the task's root, so a `chroot` or a detached mount shortens its answer; it is also not
//! available to tracepoints. This walk crosses mounts and goes to the namespace's own root in both tiers, and says
//! when the mount it ends in is not attached there. Addresses are untyped here, so each step is a checked copy.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_loop, bpf_probe_read_kernel};
use picket_abi::{Lost, PATH_PAD, path_state};

use crate::{
    bounds,
    kernel::{Object, Window, offset},
};

/// Components and mounts visited at most. A deeper path is unresolved, which no rule matches.
const STEPS: u32 = 96;

/// A file's name and the mount it was reached through.
#[derive(Clone, Copy)]
pub struct Place {
    pub dentry: Object,
    /// `struct mount`, not the `struct vfsmount` inside it.
    pub mount: Object,
}

/// Writes the path right-aligned to byte `ROOM` of `area` (`ROOM + PATH_PAD` bytes) and answers the state and the
/// first byte of the path.
#[inline(always)]
pub fn write<const ROOM: u64>(area: *mut u8, place: Place, namespace: u32) -> (u16, u16) {
    const { assert!(size_of::<Progress>() + 8 <= PATH_PAD && ROOM.is_multiple_of(8)) };
    // SAFETY: the pad behind the path has room for it, eight-byte aligned like the record; see the bounds of `ascend`
    // for why no component reaches it.
    let progress = unsafe { area.add(ROOM as usize) }.cast::<Progress>();
    let Ok(root) = root_of(place.mount) else { return (path_state::UNREADABLE, 0) };
    let fresh = Progress { dentry: place.dentry, mount: place.mount, root, start: ROOM };
    // SAFETY: as above. Volatile, here and below: the kernel changes it between our statements.
    unsafe { progress.write_volatile(fresh) };
    let mut walk = Walk { area, progress, state: path_state::TOO_DEEP };
    // VERIFIER(6.18): as a plain loop the 96 steps cost 584,000 verified instructions, because the states of different
    // iterations crowd each other out; a callback is verified once. `bpf_loop` exists since Linux 5.17.
    // SAFETY: `ascend` has the signature that the helper calls, and `walk` outlives the call.
    unsafe { bpf_loop(STEPS, ascend::<ROOM> as *mut c_void, (&raw mut walk).cast(), 0) };
    // SAFETY: as above.
    let Progress { mount, start, .. } = unsafe { progress.read_volatile() };
    // Addresses do not leave the kernel.
    let nowhere = Object(core::ptr::null());
    let clean = Progress { dentry: nowhere, mount: nowhere, root: nowhere, start: 0 };
    // SAFETY: as above.
    unsafe { progress.write_volatile(clean) };
    if walk.state != path_state::RESOLVED {
        return (walk.state, 0);
    }
    let state = top_state(mount, namespace);
    if start != ROOM {
        return (state, start as u16);
    }
    // The root itself has no component.
    // SAFETY: `ROOM - 1` is inside the area.
    let slash = unsafe { area.add(ROOM as usize - 1) };
    // SAFETY: inside the area.
    unsafe { slash.write(b'/') };
    (state, ROOM as u16 - 1)
}

/// How far the walk has come. Kept in the record's pad, not on the stack.
///
/// VERIFIER(6.18): the stack is tracked value by value and needs ten rounds of the callback (178,000 instructions) until
/// nothing new turns up; what lies in a record is just any number, and the second round is like the first.
#[derive(Clone, Copy)]
#[repr(C)]
struct Progress {
    dentry: Object,
    mount: Object,
    /// The root of the mount.
    root: Object,
    start: u64,
}

/// What one step hands to the next by way of the kernel.
struct Walk {
    area: *mut u8,
    progress: *mut Progress,
    state: u16,
}

const GO_ON: i64 = 0;
const STOP: i64 = 1;

/// One step up, called by the kernel.
///
/// Bounds: `start` in `0..ROOM` after the mask, `length` in `0..=255`; a component is written at `start + 1`, so to the
/// verifier its last byte lies below `ROOM + 1 + 255 = ROOM + PATH_PAD`. In truth it ends before the component that was
/// written last, so below `ROOM`.
unsafe extern "C" fn ascend<const ROOM: u64>(_index: u64, walk: *mut Walk) -> i64 {
    const { assert!(PATH_PAD == 256) };
    // SAFETY: the kernel passes on the pointer that `write` gave it, to nobody else at the same time.
    let walk = unsafe { &mut *walk };
    // SAFETY: in the reserved record, see `write`.
    let Progress { mut dentry, mut mount, mut root, mut start } =
        unsafe { walk.progress.read_volatile() };
    let outcome = match step(dentry, mount, root) {
        Step::Up(parent, name, length) => {
            dentry = parent;
            push::<ROOM>(walk.area, &mut start, name, length)
        }
        Step::Through(mountpoint, outer, its_root) => {
            (dentry, mount, root) = (mountpoint, outer, its_root);
            path_state::TOO_DEEP
        }
        Step::Top => path_state::RESOLVED,
        Step::Nameless => path_state::NAMELESS,
        Step::Unreadable => path_state::UNREADABLE,
    };
    // SAFETY: as above.
    unsafe { walk.progress.write_volatile(Progress { dentry, mount, root, start }) };
    if outcome == path_state::TOO_DEEP {
        return GO_ON;
    }
    walk.state = outcome;
    STOP
}

/// Puts one component before what is there; `TOO_DEEP` stands for "not at the end yet".
#[inline(always)]
fn push<const ROOM: u64>(area: *mut u8, start: &mut u64, name: Object, length: u32) -> u16 {
    let length = bounds::below::<256>(u64::from(length));
    if *start <= length {
        return path_state::TOO_LONG;
    }
    *start = bounds::below::<ROOM>(*start - length - 1);
    // SAFETY: `start < ROOM`, see the bounds of `ascend`.
    let slash = unsafe { area.add(*start as usize) };
    // SAFETY: inside the area.
    unsafe { slash.write(b'/') };
    // SAFETY: inside the area, see the bounds of `ascend`.
    let room = unsafe { slash.add(1) };
    // SAFETY: the helper checks the source; `room` has space for any `length`.
    let failed = unsafe { bpf_probe_read_kernel(room.cast(), length as u32, name.0.cast()) };
    if failed == 0 { path_state::TOO_DEEP } else { path_state::UNREADABLE }
}

enum Step {
    /// A component with its name; go on with the parent.
    Up(Object, Object, u32),
    /// The root of a mount; go on with the mountpoint in the outer mount, which has this root.
    Through(Object, Object, Object),
    /// The root of the topmost mount.
    Top,
    /// A dentry without a parent that is no mount's root: a memfd, pipe or socket.
    Nameless,
    Unreadable,
}

/// Words that hold a dentry's parent and its name's length and address. On 6.1 to 6.18; elsewhere a field may be read by
/// itself.
const DENTRY_WORDS: usize = 3;

#[inline(always)]
fn step(dentry: Object, mount: Object, root: Object) -> Step {
    try_step(dentry, mount, root).unwrap_or(Step::Unreadable)
}

#[inline(always)]
fn try_step(dentry: Object, mount: Object, root: Object) -> Result<Step, Lost> {
    if root.address() == dentry.address() {
        let outer = mount.read_pointer(offset!(mount_parent))?;
        if outer.address() == mount.address() {
            return Ok(Step::Top);
        }
        let mountpoint = mount.read_pointer(offset!(mount_mountpoint))?;
        return Ok(Step::Through(mountpoint, outer, root_of(outer)?));
    }
    let mut words = Window::<DENTRY_WORDS>::on(dentry, offset!(dentry_parent));
    words.open()?;
    let parent = words.pointer(offset!(dentry_parent))?;
    if parent.address() == dentry.address() {
        return Ok(Step::Nameless);
    }
    let name = words.pointer(offset!(dentry_name))?;
    Ok(Step::Up(parent, name, words.field(offset!(dentry_name_len))?))
}

#[inline(always)]
fn root_of(mount: Object) -> Result<Object, Lost> {
    mount.read_pointer(offset!(mount_mnt) + offset!(vfsmount_root))
}

/// A path that ends in a mount of another namespace, or of none (a detached clone), is not canonical here.
#[inline(always)]
fn top_state(mount: Object, namespace: u32) -> u16 {
    let number =
        mount.read_pointer(offset!(mount_ns)).and_then(|ns| ns.read::<u32>(offset!(mnt_ns_inum)));
    match number {
        Ok(number) if namespace == 0 || number == namespace => path_state::RESOLVED,
        _ => path_state::DETACHED,
    }
}
