//! A recorded trace, whole and as far as it goes: what is read is written again and is the same.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use picket::trace::{Reader, Writer};
use picket_engine::Input;

fuzz_target!(|bytes: &[u8]| {
    let open = |bytes| Reader::new(Path::new("x.trace"), bytes);
    let Ok(mut reader) = open(bytes) else {
        return;
    };
    let refused = reader.by_ref().any(|input| input.is_err());
    assert_ne!(refused, reader.end().is_some(), "refused and whole at once, or neither");

    let reader = open(bytes).expect("it was opened before").incomplete(true);
    let header = reader.header().clone();
    let inputs: Vec<Input> = reader.map_while(Result::ok).collect();
    let mut text = Vec::new();
    let mut writer = Writer::new(&mut text, &header).expect("memory takes everything");
    for input in &inputs {
        writer.input(input).expect("memory takes everything");
    }
    writer.finish(0).expect("memory takes everything");
    let again: Result<Vec<Input>, _> = open(&text).expect("our own header").collect();
    assert_eq!(again.expect("our own lines"), inputs);
});
