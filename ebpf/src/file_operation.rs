//! What is done with a file other than opening it: which object, by which name, and the record if it is new.
//!
//! The hooks of the `path` family hold the directory and the last name as the kernel found them, before it acts: nothing
//! can race, and a name that does not exist yet is known by its directory. An operation with two names is two records,
//! each judged and counted by itself.

use aya_ebpf::macros::map;
use picket_abi::{File, FileShort, Lost, file_operation, hook, kind, path_state};

use crate::{
    count::{self, Done},
    file::{self, Known, Opened},
    kernel::{Object, offset},
    output::{self, Ring},
    path::Place,
    scope::{self, Scope},
    seen::Seen,
};

/// Operations shown in this epoch, 8,192. Writer and reader: the `path` hooks.
#[map]
static SEEN_OPERATIONS: Seen<7, 10> = Seen::new();

/// Every operation but a received descriptor writes.
const FMODE_WRITE: u32 = 2;
const FMODE_READ: u32 = 1;

const S_IFMT: u32 = 0o170_000;
const S_IFSOCK: u32 = 0o140_000;
const S_IFIFO: u32 = 0o010_000;

/// A name in a directory: `struct path` of the directory, and the name's own dentry.
#[inline(always)]
pub fn observe_name(operation: u32, directory: Object, dentry: Object) {
    if let Some(scope) = scope::current() {
        count::account(&scope, hook::FILE_OPERATION, || {
            let mount = directory.read_pointer(offset!(path_mnt))?;
            report(&scope, operation, dentry.untyped()?, mount)
        });
    }
}

/// What a `struct path` leads to.
#[inline(always)]
pub fn observe_path(operation: u32, path: Object) {
    if let Some(scope) = scope::current() {
        count::account(&scope, hook::FILE_OPERATION, || report_path(&scope, operation, path));
    }
}

/// A peer's socket with a file: reported by that file, counted where peers are.
#[inline(always)]
pub fn report_peer(scope: &Scope, operation: u32, path: Object) -> Result<Done, Lost> {
    let dentry = path.read_pointer(offset!(path_dentry))?;
    let named = inspect(operation, dentry, path.read_pointer(offset!(path_mnt))?)?;
    report_new(scope, hook::PEER, &named)
}

#[inline(always)]
fn report_path(scope: &Scope, operation: u32, path: Object) -> Result<Done, Lost> {
    let dentry = path.read_pointer(offset!(path_dentry))?;
    report(scope, operation, dentry, path.read_pointer(offset!(path_mnt))?)
}

#[inline(always)]
fn report(scope: &Scope, operation: u32, dentry: Object, mount: Object) -> Result<Done, Lost> {
    report_new(scope, hook::FILE_OPERATION, &inspect(operation, dentry, mount)?)
}

/// A descriptor that was received: judged as an open of what is behind it.
///
/// Sockets, pipes and what has no kind (event counters and the like) are no files; they connect processes that could
/// talk anyway.
#[inline(always)]
pub fn report_received(scope: &Scope, file: Object) -> Result<Done, Lost> {
    let Some(mut received) = file::inspect(file)? else {
        return Ok(Done::Filtered);
    };
    let sort = received.file.mode & S_IFMT;
    if sort == S_IFSOCK || sort == S_IFIFO || sort == 0 {
        return Ok(Done::Filtered);
    }
    received.file.operation = file_operation::RECEIVE;
    report_new(scope, hook::OPEN, &received)
}

/// Reads a dentry, which may be of a name that nothing has yet.
#[inline(always)]
fn inspect(operation: u32, dentry: Object, vfsmount: Object) -> Result<Opened, Lost> {
    let superblock = dentry.read_pointer(offset!(dentry_sb))?;
    let parent = dentry.read_pointer(offset!(dentry_parent))?;
    let inode = dentry.read_pointer(offset!(dentry_inode))?;
    let mut file = File {
        inode: 0,
        device: superblock.read(offset!(sb_dev))?,
        access: FMODE_WRITE,
        links: 0,
        mode: 0,
        path_state: path_state::RESOLVED,
        path_start: 0,
        operation,
    };
    if !inode.0.is_null() {
        file.inode = inode.read(offset!(inode_ino))?;
        file.links = inode.read(offset!(inode_nlink))?;
        file.mode = u32::from(inode.read::<u16>(offset!(inode_mode))?);
        let unhashed = dentry.read::<u64>(offset!(dentry_hashed))? == 0;
        // As in `file::inspect`. A name that nothing has yet may be without a hash, and is a name all the same.
        if unhashed && parent.address() != dentry.address() {
            file.path_state = path_state::NAMELESS;
        }
    }
    let mount = file::mount_of(vfsmount);
    let name = dentry.read(offset!(dentry_name_hash))?;
    Ok(Opened {
        file,
        known: Known {
            inode: file.inode,
            superblock,
            place: Place { dentry, mount },
            parent,
            name,
        },
    })
}

#[inline(always)]
fn report_new(scope: &Scope, hook: u16, named: &Opened) -> Result<Done, Lost> {
    // Accesses are three bits.
    let what = named.file.operation << 8 | named.file.access;
    let deed = named.known.deed(scope.era(), what);
    if SEEN_OPERATIONS.has(&deed) {
        return Ok(Done::Aggregated);
    }
    file::send(scope, named, hook, kind::FILE_OPERATION)?;
    // After the record is in: see `file::report_open`.
    if scope.remembers() {
        SEEN_OPERATIONS.remember(&deed);
    }
    Ok(Done::Submitted)
}

/// An open of which nobody can say what it opened: a file without anything that a rule could hold on to.
#[inline(always)]
pub fn report_unknown(scope: &Scope) -> Result<Done, Lost> {
    // No file has none of all this.
    let deed = [scope.era(), u64::from(FMODE_READ | FMODE_WRITE), 0, 0, 0, 0, 0];
    if SEEN_OPERATIONS.has(&deed) {
        return Ok(Done::Aggregated);
    }
    let header = output::header(scope, hook::OPEN, kind::OPEN, 0);
    let mut entry = Ring::Verdicts.reserve::<FileShort>()?;
    let record = entry.as_mut_ptr();
    // SAFETY: `record` is the reserved slot; only the address of a field is formed and the whole field written.
    unsafe { (&raw mut (*record).header).write(header) };
    let file = File {
        inode: 0,
        device: 0,
        access: FMODE_READ | FMODE_WRITE,
        links: 0,
        mode: 0,
        path_state: path_state::UNREADABLE,
        path_start: 0,
        operation: 0,
    };
    // SAFETY: as above.
    unsafe { (&raw mut (*record).file).write(file) };
    entry.submit(0);
    // After the record is in: see `file::report_open`.
    if scope.remembers() {
        SEEN_OPERATIONS.remember(&deed);
    }
    Ok(Done::Submitted)
}
