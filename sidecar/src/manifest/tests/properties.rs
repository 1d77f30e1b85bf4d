//! What holds for every input.

use proptest::prelude::*;

use super::super::Manifest;
use super::{NOTHING, parse};
use crate::document::values;

proptest! {
    #[test]
    fn no_bytes_make_parsing_panic(bytes: Vec<u8>) {
        drop(Manifest::parse("x", &bytes).map_err(|error| error.to_string()));
    }

    #[test]
    fn no_text_added_to_a_manifest_makes_parsing_panic(text in "[ -~\n]{0,200}") {
        let text = format!("{NOTHING}{text}");
        drop(Manifest::parse("x", text.as_bytes()).map_err(|error| error.to_string()));
    }

    #[test]
    fn no_value_makes_a_check_panic(value in "[^\u{0}-\u{1f}'\u{7f}-\u{a0}]{0,40}") {
        for key in ["mode", "processes", "containment"] {
            drop(parse(&format!("{NOTHING}{key}: '{value}'\n")).map_err(|e| e.to_string()));
        }
        let text = format!(
            "{NOTHING}files: {{ read: ['{value}'], protect: ['{value}'] }}\n\
             network: {{ connect: [{{ to: '{value}', port: '{value}' }}] }}\n\
             exec: [{{ path: '{value}', argv: ['{value}'], expires: '{value}' }}]\n"
        );
        drop(parse(&text).map_err(|error| error.to_string()));
    }

    #[test]
    fn ports_are_read_as_they_are_written(first in 1..=u16::MAX, more in 0..=u16::MAX) {
        let last = first.saturating_add(more);
        prop_assert_eq!(values::ports(&first.to_string()), Ok(first..=first));
        prop_assert_eq!(values::ports(&format!("{first}-{last}")), Ok(first..=last));
    }

    #[test]
    fn sizes_grow_by_1024_from_unit_to_unit(number in 0..1_u64 << 20) {
        let sizes = ["B", "KiB", "MiB", "GiB", "TiB"].map(|unit| format!("{number}{unit}"));
        for (size, shift) in sizes.iter().zip([0, 10, 20, 30, 40]) {
            prop_assert_eq!(values::size(size), Ok(number << shift));
        }
    }

    #[test]
    fn durations_are_read_as_they_are_written(number in 0..1_u64 << 32) {
        let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
        for (unit, millis) in units {
            let read = values::duration(&format!("{number}{unit}")).unwrap();
            prop_assert_eq!(read.as_millis(), u128::from(number) * millis);
        }
    }

    #[test]
    fn no_text_makes_a_value_parser_panic(text: String) {
        drop((values::ports(&text), values::size(&text), values::duration(&text)));
        drop((values::percent(&text), values::moment(&text), values::Digest::parse(&text)));
    }

    #[test]
    fn a_digest_reads_back_from_what_it_prints(bytes: Vec<u8>) {
        let digest = values::Digest::of(&bytes);
        prop_assert_eq!(values::Digest::parse(&digest.to_string()), Ok(digest));
    }
}
