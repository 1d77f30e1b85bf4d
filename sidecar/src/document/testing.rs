//! Documents that are not accepted: what a person is told about each of many.

/// The complaints about all of `cases`, one below the other, for a snapshot. Each has a place in `file` and a way out.
/// `faults` is what an editor finds wrong, with the JSON Schema alone.
pub(crate) fn complaints<'a>(
    file: &str,
    cases: impl IntoIterator<Item = (&'a str, Vec<u8>)>,
    complain: impl Fn(&str, &[u8]) -> String,
    faults: impl Fn(&[u8]) -> Option<Vec<String>>,
) -> String {
    let mut complaints = String::new();
    for (name, bytes) in cases {
        let error = complain(name, &bytes);
        assert!(error.starts_with(&format!("{file}:")), "{name}: no place in {error}");
        assert!(error.contains("\n      = "), "{name}: no way out in {error}");
        let blind = faults(&bytes).is_some_and(|faults| faults.is_empty());
        let blind = if blind { " (fits the JSON Schema)" } else { "" };
        complaints.push_str(&format!("# {name}{blind}\n{error}\n\n"));
    }
    complaints
}
