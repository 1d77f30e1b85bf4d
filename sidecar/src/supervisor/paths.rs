//! Paths and strings in the form the kernel takes.

use std::ffi::{CStr, CString, NulError, OsStr};
use std::os::unix::ffi::OsStrExt;

pub(super) fn to_c(text: impl AsRef<OsStr>) -> Result<CString, NulError> {
    CString::new(text.as_ref().as_bytes())
}

pub(super) fn from_c(text: &CStr) -> &OsStr {
    OsStr::from_bytes(text.to_bytes())
}
