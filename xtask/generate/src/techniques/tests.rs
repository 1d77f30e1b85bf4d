use super::*;

const ROW: &str =
    "{ id: A1, what: w, lsm: { sees: object, how: l }, trace: { sees: call, how: t } }";

fn parsed(row: &str) -> Result<Document, String> {
    let test = Test { name: "a1_it_is_seen".to_owned(), file: "tests/kernel/x.rs".to_owned() };
    let text = format!("version: 1\ngroups:\n  - name: Files\n    techniques:\n      - {row}\n");
    parse(&text, &BTreeSet::from([test]))
}

#[test]
fn a_technique_without_a_test_is_refused_by_number() {
    assert!(parsed(ROW).is_ok());
    let why = parsed(&ROW.replace("A1", "A10")).unwrap_err();
    let expected = "sidecar/techniques.yaml: `A10` has no test: name one a10_and_what_must_be_true";
    assert_eq!(why, expected);
}

#[test]
fn every_fault_is_named() {
    let cases = [
        (ROW.replace(", trace: { sees: call, how: t }", ""), "`A1` needs `both`, or"),
        (ROW.replace("lsm:", "both:"), "`A1` needs `both`, or"),
        (ROW.replace("how: l", "how: ''"), "`A1` does not say how"),
        (ROW.replace("what: w", "what: ''"), "`A1` does not say what is done"),
        (format!("{ROW}\n      - {ROW}"), "`A1` is there twice"),
        (ROW.replace("call", "maybe"), "sidecar/techniques.yaml:5:"),
    ];
    for (row, complaint) in cases {
        let why = parsed(&row).unwrap_err();
        assert!(why.contains(complaint), "{row}: {why}");
    }
}

#[test]
fn only_functions_that_begin_with_a_number_are_tests_of_techniques() {
    let lines =
        ["    fn a1_it_is_seen() {", "async fn f14_it_too() {", "fn a_thing() {", "fn new() {"];
    let names: Vec<_> = lines.into_iter().filter_map(name_of_test).collect();
    assert_eq!(names, ["a1_it_is_seen", "f14_it_too"]);
}
