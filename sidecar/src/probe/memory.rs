//! Gives back to the system what loading needed.
#![expect(unsafe_code, reason = "malloc_trim(3) has no safe wrapper")]

/// The kernel's type information takes 40 MB to read and is gone afterwards; the allocator would keep its pages.
pub(super) fn trim() {
    // SAFETY: no argument but how much to keep at the top of the heap.
    unsafe { libc::malloc_trim(0) };
}
