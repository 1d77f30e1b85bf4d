//! `picket manifest schema`.

use std::io::Write;

use super::exit;
use crate::manifest;

pub(super) fn run() -> exit::Exit {
    match write!(std::io::stdout(), "{}", manifest::json_schema()) {
        Ok(()) => exit::SUCCESS,
        Err(_) => exit::FAILURE,
    }
}
