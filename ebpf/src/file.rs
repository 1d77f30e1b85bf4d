//! An opened file: which object it is, whether this sandbox has shown it before, and the record if not.

use aya_ebpf::{macros::map, maps::LruHashMap};
use picket_abi::{
    File, FileKey, FileLong, FileShort, Lost, PATH_LONG, PATH_SHORT, hook, kind, path_state,
};

use crate::{
    count::Done,
    kernel::{Object, offset},
    output::{self, Ring},
    path::{self, Place},
    scope::Scope,
};

/// Files shown in this epoch. Key: object, name and access. Value: unused. Writer and reader: the open hooks.
/// Least recently used entries go first: an evicted file is sent once more, never missed.
#[map]
static SEEN_FILES: LruHashMap<FileKey, u8> = LruHashMap::with_max_entries(16_384, 0);

/// Words that hold all that a [`FileKey`] is made of: of `struct file` from its mode or path on, of `struct dentry` from its
/// parent on, of `struct inode` from its superblock on. On 6.1 to 6.18; elsewhere a field may be read by itself.
const FILE_WORDS: usize = 10;
const DENTRY_WORDS: usize = 2;
const INODE_WORDS: usize = 4;

const FMODE_READ: u32 = 1;
const FMODE_WRITE: u32 = 2;
const FMODE_EXEC: u32 = 0x20;
const FMODE_PATH: u32 = 0x4000;
const ACCESS_EXECUTE: u32 = 4;
/// Part of the key only: an opened file that is mapped as well is two deeds.
const ACCESS_MAPPED: u32 = 8;

/// What a `struct file` says about the object behind it.
#[derive(Clone, Copy)]
pub struct Opened {
    pub file: File,
    pub place: Place,
    pub parent: u64,
    pub name: u64,
}

/// Reads a `struct file`. `Ok(None)` for a descriptor that can neither read, write nor execute (`O_PATH`).
#[inline(always)]
pub fn inspect(file: Object) -> Result<Option<Opened>, Lost> {
    let (f_mode, f_flags) = (file.read(offset!(file_mode))?, file.read(offset!(file_flags))?);
    let Some(access) = access_of(f_mode, f_flags) else { return Ok(None) };
    let inode = file.read_pointer(offset!(file_inode))?;
    let superblock = inode.read_pointer(offset!(inode_sb))?;
    let vfsmount = file.read_pointer(offset!(file_mnt))?;
    let dentry = file.read_pointer(offset!(file_dentry))?;
    let unhashed = dentry.read::<u64>(offset!(dentry_hashed))? == 0;
    let parent = dentry.read_pointer(offset!(dentry_parent))?;
    let is_root = parent.address() == dentry.address();
    Ok(Some(Opened {
        file: File {
            inode: inode.read(offset!(inode_ino))?,
            device: superblock.read(offset!(sb_dev))?,
            access,
            links: inode.read(offset!(inode_nlink))?,
            mode: u32::from(inode.read::<u16>(offset!(inode_mode))?),
            // Roots of file systems are never hashed; anything else without a hash has lost its name.
            path_state: if unhashed && !is_root {
                path_state::NAMELESS
            } else {
                path_state::RESOLVED
            },
            path_start: 0,
            operation: 0,
        },
        place: Place {
            dentry,
            mount: Object(vfsmount.0.wrapping_sub(offset!(mount_mnt) as usize)),
        },
        parent: parent.address(),
        name: dentry.read(offset!(dentry_name_hash))?,
    }))
}

/// `None` for `O_PATH`.
#[inline(always)]
fn access_of(f_mode: u32, f_flags: u32) -> Option<u32> {
    if f_mode & FMODE_PATH != 0 {
        return None;
    }
    // The exec family opens with its own bit; such an open is no read of the content by the program.
    let executes = (f_mode | f_flags) & FMODE_EXEC != 0;
    Some(if executes { ACCESS_EXECUTE } else { f_mode & (FMODE_READ | FMODE_WRITE) })
}

/// What a glance at a file brought.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Glance {
    Recognised = 0,
    /// `O_PATH`.
    Nothing = 1,
    Failed = 2,
}

/// By what a file is recognised, in as few reads as possible.
///
/// VERIFIER(6.1): "combined stack size of 3 calls is 576. Too large" — a function of its own, so that its copies are off the
/// stack when a path is walked.
#[inline(never)]
fn glance(file: Object, key: &mut FileKey) -> Glance {
    match recognise(file, key) {
        Ok(true) => Glance::Recognised,
        Ok(false) => Glance::Nothing,
        Err(_) => Glance::Failed,
    }
}

#[inline(always)]
fn recognise(file: Object, key: &mut FileKey) -> Result<bool, Lost> {
    let first = offset!(file_mode).min(offset!(file_mnt));
    let file = file.window::<FILE_WORDS>(first)?;
    let (f_mode, f_flags) = (file.field(offset!(file_mode))?, file.field(offset!(file_flags))?);
    let Some(access) = access_of(f_mode, f_flags) else { return Ok(false) };
    let vfsmount = file.pointer(offset!(file_mnt))?;
    let dentry = file.pointer(offset!(file_dentry))?;
    let inode = file.pointer(offset!(file_inode))?.window::<INODE_WORDS>(offset!(inode_sb))?;
    let name = dentry.window::<DENTRY_WORDS>(offset!(dentry_parent))?;
    key.access = access;
    key.dentry = dentry.address();
    key.mount = vfsmount.address().wrapping_sub(u64::from(offset!(mount_mnt)));
    key.parent = name.pointer(offset!(dentry_parent))?.address();
    key.name = name.field(offset!(dentry_name_hash))?;
    key.inode = inode.field(offset!(inode_ino))?;
    key.device = inode.pointer(offset!(inode_sb))?.read(offset!(sb_dev))?;
    Ok(true)
}

/// Judges whether an open is new to the sandbox, and sends it if so.
#[inline(always)]
pub fn report_open(scope: &Scope, file: Object) -> Result<Done, Lost> {
    let mut key = FileKey {
        slot: scope.slot,
        epoch: scope.settings.epoch,
        device: 0,
        access: 0,
        inode: 0,
        dentry: 0,
        parent: 0,
        name: 0,
        mount: 0,
    };
    match glance(file, &mut key) {
        Glance::Recognised if SEEN_FILES.get_ptr(key).is_some() => Ok(Done::Aggregated),
        Glance::Recognised => report_new(scope, file),
        Glance::Nothing => Ok(Done::Filtered),
        Glance::Failed => Err(Lost::ReadFailed),
    }
}

/// Judges whether a mapping for execution is new to the sandbox, and sends it if so.
#[inline(always)]
pub fn report_mapped(scope: &Scope, file: Object) -> Result<Done, Lost> {
    let Some(mut opened) = inspect(file)? else {
        return Ok(Done::Filtered);
    };
    opened.file.access = ACCESS_MAPPED;
    if SEEN_FILES.get_ptr(key_of(scope, &opened)).is_some() {
        return Ok(Done::Aggregated);
    }
    remember(scope, &opened, hook::MEMORY, kind::MAPPED)
}

/// Looks closer. What is remembered is what was sent: the file may have another name by now than at the glance.
///
/// VERIFIER(6.1): see `glance`.
#[inline(never)]
fn report_new(scope: &Scope, file: Object) -> Result<Done, Lost> {
    let Some(opened) = inspect(file)? else {
        return Ok(Done::Filtered);
    };
    remember(scope, &opened, hook::OPEN, kind::OPEN)
}

#[inline(always)]
fn remember(scope: &Scope, opened: &Opened, hook: u16, kind: u16) -> Result<Done, Lost> {
    send(scope, opened, hook, kind)?;
    // Only now: a record that found no room must be tried again by the next open. The table evicts, it is never full.
    if scope.remembers() {
        let _ = SEEN_FILES.insert(key_of(scope, opened), 1, 0);
    }
    Ok(Done::Submitted)
}

#[inline(always)]
fn key_of(scope: &Scope, opened: &Opened) -> FileKey {
    FileKey {
        slot: scope.slot,
        epoch: scope.settings.epoch,
        device: opened.file.device,
        access: opened.file.access,
        inode: opened.file.inode,
        dentry: opened.place.dentry.address(),
        parent: opened.parent,
        name: opened.name,
        mount: opened.place.mount.address(),
    }
}

/// Sends a record that holds a file and its path.
#[inline(always)]
pub fn send(scope: &Scope, opened: &Opened, hook: u16, kind: u16) -> Result<(), Lost> {
    let header = output::header(scope, hook, kind, 0);
    let namespace = scope.settings.mount_namespace;
    let mut entry = Ring::Events.reserve::<FileShort>()?;
    let record = entry.as_mut_ptr();
    // SAFETY: `record` is the reserved slot; only addresses of its fields are formed and whole fields written.
    unsafe { (&raw mut (*record).header).write(header) };
    // SAFETY: as above.
    let area = unsafe { (&raw mut (*record).path.bytes).cast::<u8>() };
    let file = place_path::<{ PATH_SHORT as u64 }>(area, opened, namespace);
    // SAFETY: as above.
    unsafe { (&raw mut (*record).file).write(file) };
    if file.path_state != path_state::TOO_LONG {
        entry.submit(0);
        return Ok(());
    }
    entry.discard(0);
    send_long(scope, opened, header)
}

#[inline(always)]
fn send_long(scope: &Scope, opened: &Opened, header: picket_abi::Header) -> Result<(), Lost> {
    let namespace = scope.settings.mount_namespace;
    let mut entry = Ring::Events.reserve::<FileLong>()?;
    let record = entry.as_mut_ptr();
    // SAFETY: as in `send`.
    unsafe { (&raw mut (*record).header).write(header) };
    // SAFETY: as in `send`.
    let area = unsafe { (&raw mut (*record).path.bytes).cast::<u8>() };
    let file = place_path::<{ PATH_LONG as u64 }>(area, opened, namespace);
    // SAFETY: as in `send`.
    unsafe { (&raw mut (*record).file).write(file) };
    entry.submit(0);
    Ok(())
}

/// Writes the path and answers the file with where it stands. A nameless file keeps that state, with the path it had.
#[inline(always)]
pub fn place_path<const ROOM: u64>(area: *mut u8, opened: &Opened, namespace: u32) -> File {
    let (state, start) = path::write::<ROOM>(area, opened.place, namespace);
    let mut file = opened.file;
    file.path_start = start;
    if file.path_state == path_state::RESOLVED || state == path_state::TOO_LONG {
        file.path_state = state;
    }
    file
}
