//! An opened file: which object it is, whether this sandbox has shown it before, and the record if not.

use aya_ebpf::macros::map;
use picket_abi::{File, FileLong, FileShort, Lost, PATH_LONG, PATH_SHORT, hook, kind, path_state};

use crate::{
    count::{self, Done},
    kernel::{Object, Window, offset},
    output::{self, Ring},
    path::{self, Place},
    scope::Scope,
    seen::Seen,
};

/// Files shown in this epoch, 32,768. Writer and reader: the hooks of opens and mappings.
#[map]
static SEEN_FILES: Seen<7, 12> = Seen::new();

/// Words that hold all that a [`Known`] is made of: of `struct file` from its mode or path on, of `struct dentry` from its
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
    pub known: Known,
}

/// By what a file is known: the object, and the name that it was reached by. A rename, a link or a bind mount changes it.
#[derive(Clone, Copy)]
pub struct Known {
    pub inode: u64,
    /// Addresses, which are only compared.
    pub superblock: Object,
    pub place: Place,
    pub parent: Object,
    /// Hash and length of the last name, as the kernel keeps them.
    pub name: u64,
}

impl Known {
    /// What is remembered of it: `what` was done, access or operation, below 2^16.
    #[inline(always)]
    pub fn deed(&self, era: u64, what: u32) -> [u64; 7] {
        // The upper bits of all addresses of the kernel's own memory are the same.
        let object = self.superblock.address() << 16 | u64::from(what);
        let (dentry, mount) = (self.place.dentry.address(), self.place.mount.address());
        [era, object, self.inode, dentry, self.parent.address(), mount, self.name]
    }
}

/// Reads a `struct file`. `Ok(None)` for a descriptor that can neither read, write nor execute (`O_PATH`).
#[inline(always)]
pub fn inspect(file: Object) -> Result<Option<Opened>, Lost> {
    let (f_mode, f_flags) = (file.read(offset!(file_mode))?, file.read(offset!(file_flags))?);
    let Some(access) = access_of(f_mode, f_flags) else { return Ok(None) };
    let inode = file.read_pointer(offset!(file_inode))?;
    let superblock = inode.read_pointer(offset!(inode_sb))?;
    let mount = mount_of(file.read_pointer(offset!(file_mnt))?);
    let dentry = file.read_pointer(offset!(file_dentry))?;
    let unhashed = dentry.read::<u64>(offset!(dentry_hashed))? == 0;
    let parent = dentry.read_pointer(offset!(dentry_parent))?;
    let is_root = parent.address() == dentry.address();
    let number = inode.read(offset!(inode_ino))?;
    Ok(Some(Opened {
        file: File {
            inode: number,
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
        known: Known {
            inode: number,
            superblock,
            place: Place { dentry, mount },
            parent,
            name: dentry.read(offset!(dentry_name_hash))?,
        },
    }))
}

/// The `struct mount` around a `struct vfsmount`.
#[inline(always)]
pub fn mount_of(vfsmount: Object) -> Object {
    Object(vfsmount.0.wrapping_sub(offset!(mount_mnt) as usize))
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
    /// Shown before in this epoch.
    Seen = 0,
    New = 1,
    /// `O_PATH`.
    Nothing = 2,
    Failed = 3,
}

/// Whether a file was opened like this before, in as few reads as possible.
///
/// VERIFIER(6.1): "combined stack size of 3 calls is 576. Too large" — a function of its own, so that its copies are off the
/// stack when a path is walked.
#[inline(never)]
fn glance(file: Object, era: u64) -> Glance {
    match recognise(file, era) {
        Ok(Some(true)) => Glance::Seen,
        Ok(Some(false)) => Glance::New,
        Ok(None) => Glance::Nothing,
        Err(_) => Glance::Failed,
    }
}

#[inline(always)]
fn recognise(file: Object, era: u64) -> Result<Option<bool>, Lost> {
    let first = offset!(file_mode).min(offset!(file_mnt));
    let mut file = Window::<FILE_WORDS>::on(file, first);
    file.open()?;
    let (f_mode, f_flags) = (file.field(offset!(file_mode))?, file.field(offset!(file_flags))?);
    let Some(access) = access_of(f_mode, f_flags) else { return Ok(None) };
    let dentry = file.pointer(offset!(file_dentry))?;
    let mut inode =
        Window::<INODE_WORDS>::on(file.pointer(offset!(file_inode))?, offset!(inode_sb));
    inode.open()?;
    let mut name = Window::<DENTRY_WORDS>::on(dentry, offset!(dentry_parent));
    name.open()?;
    let known = Known {
        inode: inode.field(offset!(inode_ino))?,
        superblock: inode.pointer(offset!(inode_sb))?,
        place: Place { dentry, mount: mount_of(file.pointer(offset!(file_mnt))?) },
        parent: name.pointer(offset!(dentry_parent))?,
        name: name.field(offset!(dentry_name_hash))?,
    };
    Ok(Some(SEEN_FILES.has(&known.deed(era, access))))
}

/// Judges an open and counts it. `seen` counts one that was shown before: `count::seen`, or what hooks that may be preempted
/// have for that.
#[inline(always)]
pub fn observe_open(
    scope: &Scope,
    file: Result<Option<Object>, Lost>,
    seen: impl FnOnce(&Scope, u16),
) {
    let glance = match file {
        Ok(Some(file)) => glance(file, scope.era()),
        _ => Glance::Nothing,
    };
    if glance == Glance::Seen {
        return seen(scope, hook::OPEN);
    }
    count::account(scope, hook::OPEN, || match file? {
        Some(file) => report_glanced(scope, file, glance),
        None => Ok(Done::Filtered),
    });
}

/// Judges whether an open is new to the sandbox, and sends it if so.
#[inline(always)]
pub fn report_open(scope: &Scope, file: Object) -> Result<Done, Lost> {
    report_glanced(scope, file, glance(file, scope.era()))
}

#[inline(always)]
fn report_glanced(scope: &Scope, file: Object, glance: Glance) -> Result<Done, Lost> {
    match glance {
        Glance::Seen => Ok(Done::Aggregated),
        Glance::New => report_new(scope, file),
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
    if SEEN_FILES.has(&opened.known.deed(scope.era(), ACCESS_MAPPED)) {
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
    // Before the record: what is shown in one epoch is not remembered in the next.
    let era = scope.era();
    send(scope, opened, hook, kind)?;
    // Only now: a record that found no room must be tried again by the next open.
    if scope.remembers() {
        SEEN_FILES.remember(&opened.known.deed(era, opened.file.access));
    }
    Ok(Done::Submitted)
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
    let file =
        place_path::<{ PATH_SHORT as u64 }>(area, opened.file, opened.known.place, namespace);
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
    let file = place_path::<{ PATH_LONG as u64 }>(area, opened.file, opened.known.place, namespace);
    // SAFETY: as in `send`.
    unsafe { (&raw mut (*record).file).write(file) };
    entry.submit(0);
    Ok(())
}

/// Writes the path and answers the file with where it stands. A nameless file keeps that state, with the path it had.
#[inline(always)]
pub fn place_path<const ROOM: u64>(
    area: *mut u8,
    mut file: File,
    place: Place,
    namespace: u32,
) -> File {
    let (state, start) = path::write::<ROOM>(area, place, namespace);
    file.path_start = start;
    if file.path_state == path_state::RESOLVED || state == path_state::TOO_LONG {
        file.path_state = state;
    }
    file
}
