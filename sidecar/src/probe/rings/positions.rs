//! How much a ring holds: its two positions, as kernel and reader keep them in the ring's first two pages.
#![expect(
    unsafe_code,
    reason = "mapping a ring's pages and reading its positions have no safe wrapper"
)]

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
    ptr::{self, NonNull},
    sync::atomic::{AtomicUsize, Ordering},
};

/// A ring's consumer page and its producer page, mapped to be read.
#[derive(Debug)]
pub(super) struct Positions {
    pages: NonNull<u8>,
    page: usize,
}

// SAFETY: the mapping belongs to no thread, and all that is done with it is atomic loads.
unsafe impl Send for Positions {}

impl Positions {
    pub(super) fn of(ring: BorrowedFd<'_>) -> io::Result<Self> {
        // SAFETY: a number in, a number out.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page = usize::try_from(page).map_err(|_| io::Error::last_os_error())?;
        // SAFETY: a new mapping of the kernel's choice of place; nothing of ours is touched.
        let pages = unsafe {
            let (length, fd) = (2 * page, ring.as_raw_fd());
            libc::mmap(ptr::null_mut(), length, libc::PROT_READ, libc::MAP_SHARED, fd, 0)
        };
        if pages == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let pages = NonNull::new(pages.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { pages, page })
    }

    /// Bytes that were reserved and not read yet, headers included. 0 means: everything that was ever submitted has
    /// been read.
    pub(super) fn backlog(&self) -> usize {
        // The reader's first: the other way round, what is made and read in between would count as negative.
        let read = self.position(0);
        self.position(self.page).wrapping_sub(read)
    }

    fn position(&self, offset: usize) -> usize {
        // SAFETY: the start of one of the two mapped pages.
        let position = unsafe { self.pages.add(offset) };
        // SAFETY: aligned to a page, mapped as long as `self` lives, written by the kernel and the reader atomically.
        let position = unsafe { position.cast::<AtomicUsize>().as_ref() };
        position.load(Ordering::Acquire)
    }
}

impl Drop for Positions {
    fn drop(&mut self) {
        // SAFETY: our own mapping, to which no reference is left.
        unsafe { libc::munmap(self.pages.as_ptr().cast(), 2 * self.page) };
    }
}
