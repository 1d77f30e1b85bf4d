//! Records that the kernel programs put into the rings. Writer: probes. Reader: `picket`'s decoder, by bytes.

/// What a record is; the field `kind` of its header.
pub mod kind {
    /// [`super::Syscall`]
    pub const SYSCALL: u16 = 1;
    /// [`super::FileShort`] or [`super::FileLong`]
    pub const OPEN: u16 = 2;
    /// [`super::ExecShort`] or [`super::ExecLong`]
    pub const EXEC: u16 = 3;
    /// [`super::Destination`]
    pub const DESTINATION: u16 = 4;
    /// [`super::Fork`]
    pub const FORK: u16 = 5;
    /// [`super::Exit`]
    pub const EXIT: u16 = 6;
    /// [`super::Left`]
    pub const LEFT: u16 = 7;
    /// [`super::Header`] alone: a task came in from outside.
    pub const ENTERED: u16 = 8;
    /// [`crate::Socket`]
    pub const SOCKET: u16 = 32;
    /// [`crate::Memory`]
    pub const MEMORY: u16 = 33;
    /// [`super::FileShort`] or [`super::FileLong`]: a file was mapped for execution.
    pub const MAPPED: u16 = 34;
    /// [`crate::Namespaces`]
    pub const NAMESPACES: u16 = 35;
    /// [`super::Calls`]
    pub const CALLS: u16 = 36;
    /// [`super::FileShort`] or [`super::FileLong`], with [`super::file_operation`] in it
    pub const FILE_OPERATION: u16 = 20;
    /// [`super::Reach`]
    pub const REACH: u16 = 21;
    /// [`super::Peer`]
    pub const PEER: u16 = 22;
    /// [`crate::Refusal`]
    pub const REFUSAL: u16 = 23;
}

/// Start of every record.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Header {
    /// [`crate::ABI_VERSION`]
    pub abi: u16,
    /// [`kind`]
    pub kind: u16,
    /// [`crate::hook`]
    pub hook: u16,
    /// [`flag`]
    pub flags: u16,
    /// Which sandbox: index in `SLOTS`.
    pub slot: u32,
    /// Which sandbox of that slot's history.
    pub generation: u32,
    /// When, `CLOCK_BOOTTIME` in ns.
    pub time: u64,
    /// Start of the acting task, `CLOCK_BOOTTIME` in ns.
    pub start_time: u64,
    /// Acting process, in the initial pid namespace.
    pub tgid: u32,
    /// Acting thread, in the initial pid namespace.
    pub tid: u32,
    /// CPU that wrote the record.
    pub cpu: u32,
    /// Counts the records of that CPU: breaks ties of `time`.
    pub sequence: u32,
}
const _: () = assert!(size_of::<Header>() == 48);

/// Bits of [`Header::flags`].
pub mod flag {
    /// The kernel has refused the operation already.
    pub const REFUSED: u16 = 1;
    /// Exec: an interpreter runs a script; `given` is the script.
    pub const SCRIPT: u16 = 2;
}

/// Calling convention of a system call.
pub mod abi_of_call {
    /// 64-bit `syscall`.
    pub const NATIVE: u32 = 0;
    /// 32-bit `int 0x80` or compat entry: another numbering.
    pub const IA32: u32 = 1;
    /// x32: bit 30 set.
    pub const X32: u32 = 2;
}

/// A system call was entered.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Syscall {
    /// Common part.
    pub header: Header,
    /// Number in the numbering of `abi`.
    pub number: u32,
    /// [`abi_of_call`]
    pub abi: u32,
    /// As the registers held them at entry, in the order of `abi`. Pointers are never followed.
    pub arguments: [u64; 6],
}
const _: () = assert!(size_of::<Syscall>() == 104);

/// What a thread called since it last handed over: about a second of it, or the rest when it ends.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Calls {
    /// Common part; the acting task is the thread.
    pub header: Header,
    /// Calls.
    pub calls: u32,
    /// Sum of their levels of surprise.
    pub level_sum: u32,
    /// Calls that were not learned even after the two before them.
    pub novel: u32,
    /// Number of the table that the levels are from, see [`crate::surprise::table_number`].
    pub table: u32,
}
const _: () = assert!(size_of::<Calls>() == 64);

/// How far the path of a file could be resolved.
pub mod path_state {
    /// `path` is canonical from the root of the sandbox's mount namespace.
    pub const RESOLVED: u16 = 0;
    /// Longer than the record has room for.
    pub const TOO_LONG: u16 = 1;
    /// More components and mounts than the walk visits.
    pub const TOO_DEEP: u16 = 2;
    /// The mount is not attached in the sandbox's mount namespace.
    pub const DETACHED: u16 = 3;
    /// Not reachable by a name: unlinked, memfd, pipe, socket, anonymous inode.
    pub const NAMELESS: u16 = 4;
    /// A kernel structure on the way could not be read.
    pub const UNREADABLE: u16 = 5;
}

/// Room for an ordinary path.
pub const PATH_SHORT: usize = 512;
/// Room for any path the kernel accepts (`PATH_MAX`).
pub const PATH_LONG: usize = 4096;
/// One name more: a component is copied before its length is known to fit, see `ebpf/src/path.rs`.
pub const PATH_PAD: usize = 256;

/// What was opened or executed: the object itself and where its name stands in the path area that follows.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct File {
    /// Inode number.
    pub inode: u64,
    /// `s_dev` of the file system: major << 20 | minor.
    pub device: u32,
    /// `FMODE_READ` 1, `FMODE_WRITE` 2, `FMODE_EXEC` 4.
    pub access: u32,
    /// Hard links; 0 for an unlinked file.
    pub links: u32,
    /// `i_mode`: kind of file and permission bits.
    pub mode: u32,
    /// [`path_state`]
    pub path_state: u16,
    /// First byte of the path in the path area; it ends at [`PATH_SHORT`] or [`PATH_LONG`].
    pub path_start: u16,
    /// [`file_operation`] in a record of kind [`kind::FILE_OPERATION`], else zero.
    pub operation: u32,
}
const _: () = assert!(size_of::<File>() == 32);

/// A path area: the path is right-aligned at `N - PATH_PAD`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct PathTail<const N: usize> {
    /// Bytes before the path's start are not written and mean nothing.
    pub bytes: [u8; N],
}

/// A file was opened; path of ordinary length.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct FileShort {
    /// Common part.
    pub header: Header,
    /// The object.
    pub file: File,
    /// The name.
    pub path: PathTail<{ PATH_SHORT + PATH_PAD }>,
}
const _: () = assert!(size_of::<FileShort>() == 848);

/// A file was opened; long path.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct FileLong {
    /// Common part.
    pub header: Header,
    /// The object.
    pub file: File,
    /// The name.
    pub path: PathTail<{ PATH_LONG + PATH_PAD }>,
}
const _: () = assert!(size_of::<FileLong>() == 4432);

/// Bytes kept of the text that `execve` was given.
pub const GIVEN_MAX: usize = 256;
/// Bytes kept of the arguments.
pub const ARGV_MAX: usize = 256;

/// The part of an exec record that an open does not have.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Exec {
    /// Bytes of `given` in use, without a terminator.
    pub given_len: u16,
    /// Bytes of `argv` in use; arguments are NUL-terminated.
    pub argv_len: u16,
    /// Bytes the arguments really have.
    pub argv_total: u32,
    /// The path text of the call as the kernel copied it; may be relative and may be a link.
    pub given: [u8; GIVEN_MAX],
    /// The first arguments, as they stood before the new program ran.
    pub argv: [u8; ARGV_MAX],
}
const _: () = assert!(size_of::<Exec>() == 520);

/// A program was replaced; path of ordinary length.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct ExecShort {
    /// Common part.
    pub header: Header,
    /// The executed object: for a script its interpreter.
    pub file: File,
    /// Text and arguments.
    pub exec: Exec,
    /// The name.
    pub path: PathTail<{ PATH_SHORT + PATH_PAD }>,
}
const _: () = assert!(size_of::<ExecShort>() == 1368);

/// A program was replaced; long path.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct ExecLong {
    /// Common part.
    pub header: Header,
    /// The executed object: for a script its interpreter.
    pub file: File,
    /// Text and arguments.
    pub exec: Exec,
    /// The name.
    pub path: PathTail<{ PATH_LONG + PATH_PAD }>,
}
const _: () = assert!(size_of::<ExecLong>() == 4952);

/// What was done with an address.
pub mod operation {
    /// connect, TCP fast open included.
    pub const CONNECT: u16 = 1;
    /// A datagram was sent to the address.
    pub const SEND: u16 = 2;
    /// A local address was chosen.
    pub const BIND: u16 = 3;
    /// A socket listens, at a port that was not judged when it was bound.
    pub const LISTEN: u16 = 4;
}

/// A network destination or local address was used.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Destination {
    /// Common part.
    pub header: Header,
    /// Address, words in network byte order; IPv4 as `::ffff:a.b.c.d`.
    pub address: [u32; 4],
    /// Port, host order.
    pub port: u16,
    /// IP protocol number of the socket; 262 for multipath TCP.
    pub protocol: u16,
    /// Socket type (`SOCK_STREAM` 1, `SOCK_DGRAM` 2, `SOCK_RAW` 3).
    pub socket_type: u16,
    /// [`operation`]
    pub operation: u16,
}
const _: () = assert!(size_of::<Destination>() == 72);

/// A task of the sandbox created another one.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Fork {
    /// Common part; the acting task is the parent.
    pub header: Header,
    /// Process of the new task; the parent's own for a thread.
    pub child_tgid: u32,
    /// The new task.
    pub child_tid: u32,
}
const _: () = assert!(size_of::<Fork>() == 56);

/// The last thread of a process ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Exit {
    /// Common part.
    pub header: Header,
    /// Wait status as `waitpid` gives it.
    pub code: u32,
    /// Zero.
    pub reserved: u32,
}
const _: () = assert!(size_of::<Exit>() == 56);

/// How a task came to be outside.
pub mod departure {
    /// It was moved, or moved itself, to another cgroup.
    pub const MIGRATED: u32 = 1;
    /// It was created in another cgroup.
    pub const CLONED: u32 = 2;
}

/// A task left the sandbox.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Left {
    /// Common part; the acting task is the one that left, or the parent of the one created outside.
    pub header: Header,
    /// v2 id of the cgroup it is in now.
    pub cgroup: u64,
    /// [`departure`]
    pub how: u32,
    /// The task that is outside.
    pub tid: u32,
}
const _: () = assert!(size_of::<Left>() == 64);

/// What was done with a file other than opening it. Of what does not exist yet the inode number is 0.
pub mod file_operation {
    /// A file lost this name.
    pub const UNLINK: u32 = 1;
    /// A directory was removed.
    pub const RMDIR: u32 = 2;
    /// A directory was made.
    pub const MKDIR: u32 = 3;
    /// A file, device or pipe was made, also by an open that creates.
    pub const MKNOD: u32 = 4;
    /// A symbolic link was made.
    pub const SYMLINK: u32 = 5;
    /// A file was to get one more name: the one that it has.
    pub const LINK: u32 = 6;
    /// The same: the new name.
    pub const LINK_TO: u32 = 7;
    /// A file was renamed: the old name.
    pub const RENAME: u32 = 8;
    /// The same: the new name, and what stands there already.
    pub const RENAME_TO: u32 = 9;
    /// A file was cut.
    pub const TRUNCATE: u32 = 10;
    /// Permission bits were changed.
    pub const CHMOD: u32 = 11;
    /// The owner was changed.
    pub const CHOWN: u32 = 12;
    /// A descriptor was received from another process; `access` says how it is open.
    pub const RECEIVE: u32 = 13;
    /// A Unix socket with this name, of somebody outside the sandbox, was connected to.
    pub const CONNECT_UNIX: u32 = 14;
    /// A datagram was sent to one.
    pub const SEND_UNIX: u32 = 15;
}

/// Whose a process or socket outside the sandbox is.
pub mod whose {
    /// Nobody's that Picket watches.
    pub const OUTSIDE: u32 = 1;
    /// Of another sandbox.
    pub const SANDBOX: u32 = 2;
    /// Picket itself.
    pub const PICKET: u32 = 3;
}

/// How something outside the sandbox was reached.
pub mod reach {
    /// A signal was sent; `number` is it.
    pub const SIGNAL: u32 = 1;
    /// Asked whether it is there, by the signal 0.
    pub const PROBE: u32 = 2;
    /// Looked into; `number` is the mode that the kernel checked.
    pub const INSPECT: u32 = 3;
    /// Taken hold of: traced, or its memory read or written.
    pub const ATTACH: u32 = 4;
}

/// A task of the sandbox reached for a process that is not of the sandbox.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Reach {
    /// Common part.
    pub header: Header,
    /// [`reach`]
    pub how: u32,
    /// [`whose`]
    pub whose: u32,
    /// The process, in the initial pid namespace.
    pub tgid: u32,
    /// What [`reach`] says.
    pub number: u32,
}
const _: () = assert!(size_of::<Reach>() == 64);

/// Room for the name of a Unix socket.
pub const UNIX_NAME: usize = 112;

/// A task of the sandbox connected or sent to a Unix socket without a file, of somebody outside.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
pub struct Peer {
    /// Common part.
    pub header: Header,
    /// [`whose`]
    pub whose: u32,
    /// [`operation`]: `CONNECT` or `SEND`.
    pub operation: u16,
    /// Bytes of `name` in use; 0 for a socket that has no name.
    pub name_len: u16,
    /// Abstract name, without the NUL in front of it.
    pub name: [u8; UNIX_NAME],
}
const _: () = assert!(size_of::<Peer>() == 168);
