//! Grants that another grant of the same kind makes superfluous.

use super::super::declared::{Endpoint, Exec, File, Host, Until};
use picket_engine::Protocol;

/// Finds, for each of `rules`, another that covers it; of two that cover each other the first one stays.
pub(super) fn pairs<T>(
    rules: &[T],
    covers: impl Fn(&T, &T) -> bool,
) -> impl Iterator<Item = (&T, &T)> {
    rules.iter().enumerate().filter_map(move |(at, narrow)| {
        let wide = rules.iter().enumerate().find(|&(other, wide)| {
            other != at && covers(wide, narrow) && (other < at || !covers(narrow, wide))
        });
        wide.map(|(_, wide)| (narrow, wide))
    })
}

/// Whether a grant that ends at `wide` holds as long as one that ends at `narrow`.
fn lasts(wide: &Until, narrow: &Until) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => narrow.value <= wide.value,
        (Some(_), None) => false,
    }
}

pub(super) fn file(wide: &File, narrow: &File) -> bool {
    wide.access.contains(narrow.access)
        && wide.path.value.covers(&narrow.path.value)
        && lasts(&wide.until, &narrow.until)
}

pub(super) fn exec(wide: &Exec, narrow: &Exec) -> bool {
    let interpreter = match (&wide.interpreter, &narrow.interpreter) {
        (None, None) => true,
        (Some(wide), Some(narrow)) => wide.value.covers(&narrow.value),
        _ => false,
    };
    let argv = match (&wide.argv, &narrow.argv) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => {
            wide.len() == narrow.len() && wide.iter().zip(narrow).all(|(one, two)| one.covers(two))
        }
        (Some(_), None) => false,
    };
    interpreter
        && argv
        && wide.path.value.covers(&narrow.path.value)
        && lasts(&wide.until, &narrow.until)
}

/// Whether a file that may be executed, with any arguments, is one a program rule limits or repeats.
pub(super) fn executable(wide: &File, narrow: &Exec) -> bool {
    narrow.interpreter.is_none()
        && wide.access.contains(picket_engine::AccessSet::EXECUTE)
        && wide.path.value.covers(&narrow.path.value)
        && lasts(&wide.until, &narrow.until)
}

pub(super) fn endpoint(wide: &Endpoint, narrow: &Endpoint) -> bool {
    let host = match (&wide.host.value, &narrow.host.value) {
        (Host::Network(wide), Host::Network(narrow)) => wide.contains(narrow),
        (Host::Name(wide), Host::Name(narrow)) => wide.eq_ignore_ascii_case(narrow),
        _ => false,
    };
    host && wide.ports.start() <= narrow.ports.start()
        && narrow.ports.end() <= wide.ports.end()
        && (wide.protocol == narrow.protocol || wide.protocol == Protocol::Any)
        && lasts(&wide.until, &narrow.until)
}
