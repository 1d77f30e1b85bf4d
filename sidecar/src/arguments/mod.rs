//! Which arguments of a system call are numbers, and what the kernel calls them.
//!
//! For the calls that matter to a reader: the danger set, and what a plugin is likely to be asked about. An argument
//! that is an address is never kept: it would say where the plugin's memory is, and what it points to can change.

mod tables;

use picket_engine::{Arguments, SyscallAbi};
use tables::{CALLS, Names, Shape};

/// `SOCK_TYPE_MASK`
const SOCKET_TYPE: u64 = 0xf;

/// The numbers among the arguments of a call, as its registers held them. None where the call is not known here.
pub(crate) fn numbers(number: u32, abi: SyscallAbi, registers: &[u64; 6]) -> Arguments {
    let Some(shapes) = shapes(number, abi) else {
        return Arguments::NONE;
    };
    Arguments::of(shapes.iter().zip(registers).map(|(shape, register)| match shape {
        Shape::Hidden => None,
        // The kernel takes the lower half of these.
        _ => Some(register & 0xffff_ffff),
    }))
}

/// The arguments in the kernel's words, without parentheses; `None` where none is known.
pub(crate) fn text(number: u32, abi: SyscallAbi, arguments: &Arguments) -> Option<String> {
    let shapes = shapes(number, abi)?;
    let known = shapes.iter().zip(arguments.places());
    let words: Vec<String> =
        known.filter_map(|(shape, argument)| Some(word(shape, (*argument)?))).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// A socket in the kernel's words, such as `AF_INET, SOCK_RAW, protocol 1`.
pub(crate) fn socket(family: u32, socket_type: u32, protocol: u32) -> String {
    let family = word(&Shape::One(&tables::FAMILIES), family.into());
    let socket_type = word(&Shape::SocketType, socket_type.into());
    let protocol = if protocol == 0 { String::new() } else { format!(", protocol {protocol}") };
    format!("{family}, {socket_type}{protocol}")
}

/// `CLONE_NEW*` in the kernel's words.
pub(crate) fn namespaces(flags: u32) -> String {
    word(&Shape::Flags(&tables::CLONE_FLAGS), flags.into())
}

/// What is known of the arguments of a native call.
fn shapes(number: u32, abi: SyscallAbi) -> Option<&'static [Shape]> {
    if abi != SyscallAbi::Native {
        return None;
    }
    let at = CALLS.binary_search_by_key(&number, |(known, _)| *known).ok()?;
    CALLS.get(at).map(|(_, shapes)| *shapes)
}

fn word(shape: &Shape, value: u64) -> String {
    match shape {
        Shape::Hidden => String::new(),
        Shape::Number => value.to_string(),
        Shape::Descriptor => format!("descriptor {}", signed(value)),
        Shape::Process => match signed(value) {
            0 => "itself".to_owned(),
            -1 => "all processes".to_owned(),
            pid => format!("pid {pid}"),
        },
        Shape::One(names) => name(names, value).map_or_else(|| value.to_string(), str::to_owned),
        Shape::Flags(names) => flags(names, value),
        Shape::SocketType => word(&Shape::One(&tables::SOCKET_TYPES), value & SOCKET_TYPE),
    }
}

fn name(names: &Names, value: u64) -> Option<&'static str> {
    names.iter().find(|(known, _)| *known == value).map(|(_, name)| *name)
}

/// Names of the bits; what has no name is a number.
fn flags(names: &Names, value: u64) -> String {
    if let Some(name) = name(names, value) {
        return name.to_owned();
    }
    let mut rest = value;
    let mut text = String::new();
    for (bits, name) in *names {
        if *bits != 0 && rest & bits == *bits {
            rest &= !bits;
            text.push_str(if text.is_empty() { "" } else { "|" });
            text.push_str(name);
        }
    }
    if rest != 0 || text.is_empty() {
        text.push_str(if text.is_empty() { "" } else { "|" });
        text.push_str(&if rest == 0 { "0".to_owned() } else { format!("{rest:#x}") });
    }
    text
}

/// An argument of type `int`.
#[expect(clippy::cast_possible_truncation, reason = "the kernel takes the lower half")]
const fn signed(value: u64) -> i32 {
    (value as u32).cast_signed()
}

#[cfg(test)]
mod tests;
