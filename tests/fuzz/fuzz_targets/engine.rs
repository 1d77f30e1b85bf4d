//! The engine, told whatever can be decoded from the lines of a trace: two of them say the same.
#![no_main]

use std::{path::Path, sync::LazyLock, time::UNIX_EPOCH};

use libfuzzer_sys::fuzz_target;
use picket::trace::{Clock, Header, Reader, Replay, Writer, rendering};
use picket_engine::{Effect, KernelTime, Settings};

/// The first line of a trace: what follows is the fuzzer's.
static HEADER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut text = Vec::new();
    let clock = Clock::new(KernelTime::BOOT, UNIX_EPOCH);
    let header = Header::here("fuzz", vec!["weather".to_owned()], clock);
    drop(Writer::new(&mut text, &header).expect("memory takes everything"));
    text
});

fuzz_target!(|bytes: &[u8]| {
    let text = [HEADER.as_slice(), bytes].concat();
    let reader = Reader::new(Path::new("x.trace"), text.as_slice()).expect("our own header");
    let mut pair = [Replay::new(Settings::STANDARD), Replay::new(Settings::STANDARD)];
    let [one, other] = &mut pair;
    for input in reader.incomplete(true).map_while(Result::ok) {
        let said = one.tell(input.clone());
        assert_eq!(said, other.tell(input));
        for effect in said {
            assert!(!rendering(effect).is_empty());
        }
        let found = said.iter().any(|effect| matches!(effect, Effect::Finding(_)));
        let opened = said.iter().any(|effect| matches!(effect, Effect::IncidentOpened { .. }));
        assert!(found || !opened, "an incident without a finding");
    }
});
