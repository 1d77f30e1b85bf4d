//! Acts on files, processes and Unix sockets: the canary's half, what Picket holds ready for it, and what must be seen.
//!
//! The files are those of the self-test's own cgroup directory: wherever Picket runs, that one can be written to. Nearly
//! everything is refused there by the file system, after the hooks have run, so nothing has to be put back.
#![expect(unsafe_code, reason = "truncate(2) by path has no safe wrapper")]

use std::{
    ffi::CString,
    fs::{self, File},
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::AsFd,
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            fs::{chown, symlink},
            net::{SocketAddr, UnixDatagram, UnixListener, UnixStream},
        },
    },
    path::Path,
};

use io_uring::{IoUring, opcode, squeue, types};
use picket_engine::{
    AccessSet, Fact, FileId, FileOperation, NetworkOperation, ObservedPath, Reach, Unresolved,
    Whose,
};
use rustix::{
    net::{
        RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        recvmsg, sendmsg,
    },
    process::{Signal, getppid, kill_process, test_kill_process},
};

use super::{
    CanaryError,
    expect::{Truth, same},
};
use crate::probe::uring::RING_HOOKS;

/// Hooks of the LSM programs that have an act here, by their own names.
pub(super) const LSM: [&str; 15] = [
    "file_receive",
    "path_chmod",
    "path_chown",
    "path_link",
    "path_mkdir",
    "path_mknod",
    "path_rename",
    "path_rmdir",
    "path_symlink",
    "path_truncate",
    "path_unlink",
    INSPECTED,
    "task_kill",
    "unix_may_send",
    "unix_stream_connect",
];

/// The file of a cgroup's directory that the acts are about.
pub(super) const PROCESSES: &str = "cgroup.procs";

/// Which act the look into Picket is.
pub(super) const INSPECTED: &str = "ptrace_access_check";

/// Which act is a file of the cgroup's directory that could not be made.
pub(super) const REFUSED: &str = "call_refused";

/// Which act the signal is.
pub(super) const SIGNAL: &str = "signal_generate";

const MADE: &str = "canary-made";
const NAMED: &str = "canary-named";
const DATAGRAMS: &str = "-datagrams";

/// A signal to Picket, ignored by whoever does not ask for it, and Picket does not.
pub(super) fn signal() {
    if let Some(picket) = getppid() {
        kill_process(picket, Signal::URG).ok();
    }
}

/// Everything else. What comes of it does not matter, a hook that stays silent is found out by what it did not report, but for
/// one: whether Picket could be looked into. Without `CAP_SYS_PTRACE` the kernel refuses that before it asks the hook.
pub(super) fn act(place: &Path, socket: &str) -> io::Result<bool> {
    let (processes, made, named) = (place.join(PROCESSES), place.join(MADE), place.join(NAMED));
    drop(fs::create_dir(&made));
    drop(fs::remove_dir(&made));
    drop(File::create_new(&named));
    drop(symlink("nowhere", &named));
    drop(fs::hard_link(&processes, &named));
    drop(fs::rename(&processes, &named));
    drop(fs::remove_file(&processes));
    drop(fs::metadata(&processes).and_then(|it| fs::set_permissions(&processes, it.permissions())));
    drop(chown(&processes, None, None));
    truncate(&processes)?;

    let looked = getppid().is_some_and(|picket| {
        test_kill_process(picket).ok();
        fs::read_link(format!("/proc/{picket}/exe")).is_ok()
    });

    drop(UnixStream::connect_addr(&address(socket)?));
    let sender = UnixDatagram::unbound()?;
    drop(sender.send_to_addr(b"canary", &address(&format!("{socket}{DATAGRAMS}"))?));
    hand_over(&File::open("/proc/self/exe")?)?;
    Ok(looked)
}

fn truncate(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: a C string and a number.
    unsafe { libc::truncate(path.as_ptr(), 0) };
    Ok(())
}

/// Sends a descriptor to ourselves.
fn hand_over(file: &File) -> io::Result<()> {
    let (here, there) = UnixDatagram::pair()?;
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut sent = SendAncillaryBuffer::new(&mut room);
    let descriptors = [file.as_fd()];
    sent.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(&here, &[IoSlice::new(b"canary")], &mut sent, SendFlags::empty())?;
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut received = RecvAncillaryBuffer::new(&mut room);
    let mut text = [0; 8];
    recvmsg(&there, &mut [IoSliceMut::new(&mut text)], &mut received, RecvFlags::CMSG_CLOEXEC)?;
    Ok(())
}

fn address(name: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

/// Sockets of Picket's own, for the canary to talk to.
#[derive(Debug)]
pub(super) struct Outside {
    name: String,
    _listener: UnixListener,
    _datagrams: UnixDatagram,
}

impl Outside {
    pub(super) fn open() -> io::Result<Self> {
        // Unique in a network namespace, whose processes may be of several pid namespaces.
        let mut random = [0; 8];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())?;
        let name = format!("picket-self-test-{:016x}", u64::from_ne_bytes(random));
        Ok(Self {
            _listener: UnixListener::bind_addr(&address(&name)?)?,
            _datagrams: UnixDatagram::bind_addr(&address(&format!("{name}{DATAGRAMS}"))?)?,
            name,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// Opens a file by io_uring, twice: once so that its result tells which, and once so that nothing does. False where
/// there is no io_uring: then nobody else has it either.
pub(super) fn open_by_ring(place: &Path) -> io::Result<bool> {
    let path = CString::new(place.join(PROCESSES).into_os_string().into_encoded_bytes())?;
    let Ok(mut ring) = IoUring::new(2) else { return Ok(false) };
    let open = || opcode::OpenAt::new(types::Fd(libc::AT_FDCWD), path.as_ptr()).build();
    for request in [open(), open().flags(squeue::Flags::SKIP_SUCCESS)] {
        // SAFETY: the path outlives the request, which is waited for or makes no difference.
        unsafe { ring.submission().push(&request) }.map_err(io::Error::other)?;
    }
    ring.submit_and_wait(1)?;
    Ok(true)
}

/// What the acts must look like.
#[derive(Debug)]
pub(super) struct Expected {
    socket: String,
    /// What the kernel calls Picket: 0 until the signal to it was seen.
    pub(super) own: u32,
    /// Whose Picket is: nobody's until the hooks have been told which process it is.
    whose: Whose,
}

impl Expected {
    /// `own`: what the kernel calls Picket, where the hooks have been told.
    pub(super) fn new(socket: &str, own: Option<u32>) -> Self {
        let whose = if own.is_some() { Whose::Picket } else { Whose::Outside };
        Self { socket: socket.to_owned(), own: own.unwrap_or(0), whose }
    }

    /// Which act the fact is; an error when it is one and says something wrong.
    pub(super) fn meet(
        &mut self,
        truth: &Truth,
        fact: &Fact,
    ) -> Result<Option<&'static str>, CanaryError> {
        match fact {
            Fact::FileOperation { operation, path, file, access, .. } => {
                file_operation(truth, *operation, path, *file, *access)
            }
            Fact::Reach { how, whose, process, number } => {
                self.reached(truth, *how, *whose, *process, *number)
            }
            Fact::Peer { operation, whose, name } => self.peer(*operation, *whose, name),
            Fact::Refused { path, access, .. } => {
                let named = truth.place.join(NAMED).into_os_string().into_encoded_bytes();
                if *path != ObservedPath::Resolved(named) {
                    return Ok(None);
                }
                let both = AccessSet::READ.union(AccessSet::WRITE);
                same("what was to be done with a file", access, &both)?;
                Ok(Some(REFUSED))
            }
            _ => Ok(None),
        }
    }

    fn reached(
        &mut self,
        truth: &Truth,
        how: Reach,
        whose: Whose,
        process: u32,
        number: u32,
    ) -> Result<Option<&'static str>, CanaryError> {
        same("whose Picket is", &whose, &self.whose)?;
        if truth.pid.is_some() {
            same("Picket's process id", &process, &std::process::id())?;
        }
        Ok(match how {
            Reach::Signal if number == Signal::URG.as_raw().cast_unsigned() => {
                self.own = process;
                Some(SIGNAL)
            }
            Reach::Probe => Some("task_kill"),
            Reach::Inspect => Some(INSPECTED),
            Reach::Signal | Reach::Attach => None,
        })
    }

    fn peer(
        &self,
        operation: NetworkOperation,
        whose: Whose,
        name: &[u8],
    ) -> Result<Option<&'static str>, CanaryError> {
        same("whose Picket's socket is", &whose, &Whose::Outside)?;
        let (hook, truth) = match operation {
            NetworkOperation::Connect => ("unix_stream_connect", self.socket.clone()),
            _ => ("unix_may_send", format!("{}{DATAGRAMS}", self.socket)),
        };
        same("the name of Picket's socket", &name.to_vec(), &truth.into_bytes())?;
        Ok(Some(hook))
    }
}

/// Which act an open is, that nobody but a ring can have done.
pub(super) fn opened_by_ring(
    truth: &Truth,
    path: &ObservedPath,
    file: FileId,
) -> Option<&'static str> {
    match path {
        ObservedPath::Unresolved(Unresolved::ReadFailed) => Some(RING_HOOKS[0]),
        _ if file == truth.processes => Some(RING_HOOKS[1]),
        _ => None,
    }
}

fn file_operation(
    truth: &Truth,
    operation: FileOperation,
    path: &ObservedPath,
    file: FileId,
    access: AccessSet,
) -> Result<Option<&'static str>, CanaryError> {
    if operation == FileOperation::Receive {
        same("a received file's inode", &file, &truth.program)?;
        same("a received file's path", path, &ObservedPath::Resolved(truth.path.clone()))?;
        same("a received file's access", &access, &AccessSet::READ)?;
        return Ok(Some("file_receive"));
    }
    // One name of the two that a link or rename has is its act.
    let (hook, name, there) = match operation {
        FileOperation::Unlink => ("path_unlink", PROCESSES, true),
        FileOperation::Rename => ("path_rename", PROCESSES, true),
        FileOperation::LinkTo => ("path_link", NAMED, false),
        FileOperation::Mknod => ("path_mknod", NAMED, false),
        FileOperation::Symlink => ("path_symlink", NAMED, false),
        FileOperation::Truncate => ("path_truncate", PROCESSES, true),
        FileOperation::Chmod => ("path_chmod", PROCESSES, true),
        FileOperation::Chown => ("path_chown", PROCESSES, true),
        FileOperation::Mkdir => ("path_mkdir", MADE, false),
        FileOperation::Rmdir => return Ok(Some("path_rmdir")),
        _ => return Ok(None),
    };
    let expected = truth.place.join(name).into_os_string().into_encoded_bytes();
    same("a changed file's path", path, &ObservedPath::Resolved(expected))?;
    let absent = FileId { inode: 0, ..truth.processes };
    same("a changed file's inode", &file, if there { &truth.processes } else { &absent })?;
    Ok(Some(hook))
}
