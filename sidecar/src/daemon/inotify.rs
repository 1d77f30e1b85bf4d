//! What happens in directories, as the kernel tells it.

use std::{
    ffi::{CString, OsString},
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::ffi::OsStringExt,
    },
    path::Path,
};

use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};

/// Room for some hundred events at once; the rest is read in the next round.
const BUFFER: usize = 16 * 1024;

/// One thing that happened.
#[derive(Debug)]
pub(super) struct Event {
    /// In which watched directory; -1 of an overflow.
    pub(super) watch: i32,
    /// What.
    pub(super) what: ReadFlags,
    /// To which entry.
    pub(super) name: Option<OsString>,
}

/// An inotify instance.
#[derive(Debug)]
pub(super) struct Inotify(OwnedFd);

impl Inotify {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?))
    }

    /// Watches a directory; the same one again gives the same number.
    pub(super) fn watch(&self, directory: &Path, for_what: WatchFlags) -> io::Result<i32> {
        let flags = for_what | WatchFlags::ONLYDIR;
        Ok(inotify::add_watch(&self.0, directory, flags)?)
    }

    /// Readable when something has happened.
    pub(super) fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// What has happened since the last time.
    pub(super) fn read(&self) -> io::Result<Vec<Event>> {
        let mut buffer = [const { MaybeUninit::uninit() }; BUFFER];
        let mut reader = Reader::new(&self.0, &mut buffer);
        let mut events = Vec::new();
        loop {
            match reader.next() {
                Ok(event) => events.push(Event {
                    watch: event.wd(),
                    what: event.events(),
                    name: event
                        .file_name()
                        .map(|name| OsString::from_vec(CString::from(name).into_bytes())),
                }),
                Err(Errno::WOULDBLOCK) => return Ok(events),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
