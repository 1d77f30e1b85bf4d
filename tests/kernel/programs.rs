//! Programs for the tests to run: a few bytes of machine code each, so that neither compiler nor library is involved.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Where the code lies in memory; in the file it follows the headers.
const BASE: u32 = 0x40_0000;

/// `getpid` as 32-bit code calls it, from 64-bit code; then `exit_group(0)`.
const WIDE: [u8; 16] = [
    0xb8, 20, 0, 0, 0, 0xcd, 0x80, // mov eax, 20; int 0x80
    0x31, 0xff, 0xb0, 231, 0x0f, 0xb6, 0xc0, 0x0f,
    0x05, // xor edi, edi; mov al, 231; movzx eax, al; syscall
];

/// `getpid` and `exit(0)`, all in 32 bits.
const NARROW: [u8; 16] = [
    0xb8, 20, 0, 0, 0, 0xcd, 0x80, // mov eax, 20; int 0x80
    0x31, 0xdb, 0xb8, 1, 0, 0, 0, 0xcd, 0x80, // xor ebx, ebx; mov eax, 1; int 0x80
];

/// A 64-bit program that makes one call by the 32-bit entry.
pub(crate) fn wide() -> Vec<u8> {
    const HEADERS: u32 = 64 + 56;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    // Executable, x86-64, version, entry, program headers, no sections, no flags.
    numbers16(&mut file, [2, 62]);
    numbers32(&mut file, [1, BASE + HEADERS, 0, 64, 0, 0, 0, 0]);
    // Sizes: this header, a program header and their number; no sections.
    numbers16(&mut file, [64, 56, 1, 0, 0, 0]);
    let size = HEADERS + length(&WIDE);
    // Loaded, readable and executable, whole file.
    numbers32(&mut file, [1, 5, 0, 0, BASE, 0, BASE, 0, size, 0, size, 0, 0x1000, 0]);
    file.extend(WIDE);
    file
}

/// A 32-bit program.
pub(crate) fn narrow() -> Vec<u8> {
    const HEADERS: u32 = 52 + 32;
    let mut file = b"\x7fELF\x01\x01\x01".to_vec();
    file.resize(16, 0);
    // As above, for i386.
    numbers16(&mut file, [2, 3]);
    numbers32(&mut file, [1, BASE + HEADERS, 52, 0, 0]);
    numbers16(&mut file, [52, 32, 1, 0, 0, 0]);
    let size = HEADERS + length(&NARROW);
    numbers32(&mut file, [1, 0, BASE, BASE, size, size, 5, 0x1000]);
    file.extend(NARROW);
    file
}

/// Writes a program. To be called by whoever runs it: a descriptor that a copy of this process still has open for
/// writing would make the kernel refuse to run it.
pub(crate) fn install(path: &Path, program: &[u8]) {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o755).open(path).unwrap();
    file.write_all(program).unwrap();
}

fn length(code: &[u8]) -> u32 {
    u32::try_from(code.len()).unwrap()
}

fn numbers16<const N: usize>(file: &mut Vec<u8>, numbers: [u16; N]) {
    file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

fn numbers32<const N: usize>(file: &mut Vec<u8>, numbers: [u32; N]) {
    file.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}
