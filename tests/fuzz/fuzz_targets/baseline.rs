//! An exported file of baselines: what is read is written again and is the same.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use picket::baseline::{self, ExchangeError, Package};
use sha2::{Digest as _, Sha256};

fn read(bytes: &[u8]) -> Result<Package, ExchangeError> {
    baseline::read_from(Path::new("x.baselines"), bytes)
}

fuzz_target!(|bytes: &[u8]| {
    drop(read(bytes));
    // No fuzzer guesses a digest.
    let Ok(package) = read(&ended(bytes)) else {
        return;
    };
    let mut written = Vec::new();
    baseline::write(&package, &mut written).expect("memory takes everything");
    assert_eq!(read(&written).expect("what was written can be read"), package);
});

/// The same lines with an end that fits them.
fn ended(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if line.ends_with(b"\n") && !line.starts_with(b"{\"end\"") {
            text.extend_from_slice(line);
        }
    }
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    let digest: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    text.extend(format!("{{\"end\":{{\"lines\":{lines},\"sha256\":\"{digest}\"}}}}\n").bytes());
    text
}
