mod arbitrary;
mod bad;
mod damage;

use std::{io::BufReader, path::Path, time::UNIX_EPOCH};

use picket_engine::{Effect, Engine, KernelTime, Settings};
use proptest::prelude::*;

use super::*;

fn header() -> Header {
    let clock = Clock::new(KernelTime::from_nanos(7), UNIX_EPOCH);
    let mut header = Header::here("trace", vec!["weather".to_owned()], clock);
    header.kernel = "6.18.0".to_owned();
    header
}

/// The trace of these inputs, and what an engine said to them.
fn written(inputs: &[Input]) -> (Vec<u8>, Vec<Effect>) {
    let mut text = Vec::new();
    let mut writer = Writer::new(&mut text, &header()).unwrap();
    let mut engine = Engine::new(Settings::STANDARD);
    let mut said = Vec::new();
    for input in inputs {
        writer.input(input).unwrap();
        let mut effects = Vec::new();
        engine.handle(input.clone(), &mut effects);
        effects.iter().for_each(|effect| writer.effect(effect));
        said.extend(effects);
    }
    writer.finish(0).unwrap();
    (text, said)
}

fn reader(text: &[u8]) -> Result<Reader<BufReader<&[u8]>>, TraceError> {
    Reader::new(Path::new("x.trace"), BufReader::new(text))
}

fn read(text: &[u8]) -> Result<Vec<Input>, TraceError> {
    reader(text)?.collect()
}

proptest! {
    #[test]
    fn every_input_comes_back_as_it_was(inputs in prop::collection::vec(arbitrary::input(), 0..8)) {
        let (text, _) = written(&inputs);
        prop_assert_eq!(read(&text).unwrap(), inputs);
    }

    #[test]
    fn a_replay_says_what_was_said(inputs in prop::collection::vec(arbitrary::input(), 0..30)) {
        let (text, said) = written(&inputs);
        let mut reader = reader(&text).unwrap();
        let mut replay = Replay::default();
        let mut again = Vec::new();
        for input in reader.by_ref() {
            again.extend_from_slice(replay.tell(input.unwrap()));
        }
        prop_assert_eq!(again, said);
        prop_assert_eq!(replay.compare(reader.end()), Sameness::Same);
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
        drop(read(&bytes));
        let (mut text, _) = written(&[]);
        text.truncate(text.iter().position(|byte| *byte == b'\n').unwrap() + 1);
        text.extend(bytes);
        prop_assert!(read(&text).is_err());
    }

    #[test]
    fn no_flipped_bit_passes(
        inputs in prop::collection::vec(arbitrary::input(), 1..4), at: prop::sample::Index, bit in 0..8,
    ) {
        let (mut text, _) = written(&inputs);
        // The end's digest covers every line before it.
        let end = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap();
        let at = at.index(end);
        text[at] ^= 1_u8 << bit;
        prop_assert!(read(&text).is_err());
    }
}

#[test]
fn what_was_missed_is_said_and_makes_a_replay_inexact() {
    let mut text = Vec::new();
    Writer::new(&mut text, &header()).unwrap().finish(3).unwrap();
    let mut reader = reader(&text).unwrap();
    assert!(reader.next().is_none());
    assert_eq!(Replay::default().compare(reader.end()), Sameness::Missed(3));
}

#[test]
fn other_effects_than_were_recorded_are_noticed() {
    let (text, _) = written(&[]);
    let end = "\"effects\":0";
    let text = String::from_utf8(text).unwrap().replace(end, "\"effects\":1");
    let mut reader = reader(text.as_bytes()).unwrap();
    assert!(reader.next().is_none());
    assert_eq!(Replay::default().compare(reader.end()), Sameness::Different);
}
