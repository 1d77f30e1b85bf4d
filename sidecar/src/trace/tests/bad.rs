//! Traces that are not as they should be, and what is said about them.

use std::fs;

use insta::assert_snapshot;

use super::*;

/// What is said about the bytes of a file called `x.trace`.
#[track_caller]
fn complaint(bytes: impl AsRef<[u8]>) -> String {
    read(bytes.as_ref()).unwrap_err().to_string()
}

fn some_trace() -> String {
    let at = KernelTime::from_nanos(9);
    let sandbox = picket_engine::SandboxId { slot: 0, generation: 1 };
    let inputs = [Input::Tick { at }, Input::Loss { sandbox, lost: 2, at }, Input::Tick { at }];
    String::from_utf8(written(&inputs).0).unwrap()
}

#[test]
fn an_empty_file_is_no_trace() {
    assert_snapshot!(complaint(""), @"x.trace: is no Picket trace, but empty; record one with `picket exec --record FILE`");
}

#[test]
fn a_manifest_is_no_trace() {
    assert_snapshot!(complaint("version: 1\nplugin: { name: x, version: 1 }\n"), @"x.trace: is no Picket trace, but YAML, perhaps a manifest; record one with `picket exec --record FILE`");
}

#[test]
fn a_program_is_no_trace() {
    assert_snapshot!(complaint(b"\x7fELF\x02\x01\0\0\n"), @"x.trace: is no Picket trace, but a program (ELF); record one with `picket exec --record FILE`");
}

#[test]
fn other_json_text_and_bytes_are_no_trace() {
    assert_snapshot!(complaint("{\"event\":\"ready\"}\n"), @"x.trace: is no Picket trace, but other JSON; record one with `picket exec --record FILE`");
    assert_snapshot!(complaint("Dear Picket,\n"), @"x.trace: is no Picket trace, but other text; record one with `picket exec --record FILE`");
    assert_snapshot!(complaint(b"\xff\xfe\0"), @"x.trace: is no Picket trace, but binary data; record one with `picket exec --record FILE`");
    assert_snapshot!(complaint(b"\x1f\x8b\x08"), @"x.trace: is no Picket trace, but compressed (gzip): decompress it first; record one with `picket exec --record FILE`");
}

#[test]
fn a_directory_is_no_trace() {
    let directory = tempfile::tempdir().unwrap();
    let error = Reader::open(directory.path()).unwrap_err().to_string();
    assert!(error.contains("is no Picket trace, but a directory;"), "{error}");
}

#[test]
fn a_file_that_is_not_there_cannot_be_read() {
    assert_snapshot!(Reader::open(Path::new("/nowhere/x.trace")).unwrap_err(), @"/nowhere/x.trace: cannot be read: No such file or directory (os error 2)");
}

#[test]
fn a_trace_of_the_format_before_is_read() {
    let header = some_trace().lines().next().unwrap().replace(":5,", ":4,") + "\n";
    let trace = Reader::new(Path::new("x.trace"), header.as_bytes()).unwrap().incomplete(true);
    assert_eq!(trace.map(Result::unwrap).count(), 0);
    assert_snapshot!(complaint(header.replace(":4,", ":3,")), @"x.trace:1:1: there is no such format of a trace; the file was damaged or changed after it was written");
}

#[test]
fn a_trace_of_a_later_picket_says_which_one_reads_it() {
    let header = "{\"picket_trace\":6,\"picket\":\"0.9.0\",\"colour\":\"new\"}\n";
    assert_snapshot!(complaint(header), @"x.trace: has trace format 6, this Picket reads format 5: use Picket 0.9.0 or later, which wrote it");
}

#[test]
fn cut_anywhere_it_says_how_many_inputs_are_whole() {
    let text = some_trace();
    let line = |number: usize| text.match_indices('\n').nth(number).unwrap().0;
    assert_snapshot!(complaint(&text[..line(0)]), @"x.trace: breaks off: the recording was cut short before its first input");
    let usable = [
        " before its first input",
        "; it has 1 whole input, which `--incomplete` uses",
        "; it has 2 whole inputs, which `--incomplete` uses",
        "; it has 3 whole inputs, which `--incomplete` uses",
    ];
    for (whole, usable) in usable.into_iter().enumerate() {
        let expected = format!("x.trace: breaks off: the recording was cut short{usable}");
        assert_eq!(complaint(&text[..=line(whole)]), expected);
        let part = &text[..line(whole) + 9];
        assert_eq!(complaint(part), expected);
        assert_eq!(complaint(&text[..line(whole + 1)]), expected);
        let used = reader(part.as_bytes()).unwrap().incomplete(true).count();
        assert_eq!(used, whole);
    }
}

#[test]
fn damage_has_its_line_and_column() {
    let text = some_trace();
    assert_snapshot!(complaint(text.replace("\"lost\":2", "\"lost\":-2")), @"x.trace:3:41: invalid value: integer `-2`, expected u64; the file was damaged or changed after it was written");
    assert_snapshot!(complaint(text.replace("{\"loss\"", "{\"loth\"")), @"x.trace:3:7: unknown variant `loth`, expected one of `register`, `policy`, `event`, `loss`, `resources`, `tampered`, `supervisor`, `receipt`, `tick`, `unregister`, `end`; the file was damaged or changed after it was written");
    assert_snapshot!(complaint(text.replace("\"lost\":2", "\"lost\":2,\"more\":1")), @"x.trace:3:47: unknown field `more`, expected one of `sandbox`, `at`, `lost`; the file was damaged or changed after it was written");
    assert_snapshot!(complaint(text.replacen("\"tier\"", "\"teir\"", 1)), @"x.trace:1:165: unknown field `teir`, expected one of `picket_trace`, `warning`, `picket`, `tier`, `kernel`, `architecture`, `plugins`, `redacted`, `clock`; the file was damaged or changed after it was written");
    assert_snapshot!(complaint(text.replacen("{\"picket_trace\":5", "{\"picket_trace\":x", 1)), @"x.trace:1:1: the header is damaged; the file was damaged or changed after it was written");
    assert_snapshot!(complaint(text.replacen("{\"picket_trace\":5", "{\"picket_trace\":0", 1)), @"x.trace:1:1: there is no such format of a trace; the file was damaged or changed after it was written");
}

#[test]
fn a_changed_digit_is_found_by_the_digest() {
    assert_snapshot!(complaint(some_trace().replace("\"lost\":2", "\"lost\":3")), @"x.trace:5:1: the digest of all lines before is another one; the file was damaged or changed after it was written");
}

#[test]
fn an_end_that_counts_wrong_is_found() {
    assert_snapshot!(complaint(some_trace().replace("\"inputs\":3", "\"inputs\":4")), @"x.trace:5:1: the end says 4 inputs, there are 3; the file was damaged or changed after it was written");
}

#[test]
fn nothing_may_follow_the_end() {
    let text = some_trace();
    assert_snapshot!(complaint(text.clone() + "{\"tick\":{\"at\":1}}\n"), @"x.trace:6:1: something follows the end; the file was damaged or changed after it was written");
    assert_snapshot!(complaint(text + " "), @"x.trace:6:1: something follows the end; the file was damaged or changed after it was written");
}

#[test]
fn a_huge_line_is_refused_and_not_held() {
    let header = some_trace().lines().next().unwrap().to_owned();
    let huge = "x".repeat(17 << 20);
    assert_snapshot!(complaint(format!("{header}\n{huge}")), @"x.trace:2:1: a line of more than 16 MiB; the file was damaged or changed after it was written");
    assert_snapshot!(complaint(huge), @"x.trace: is no Picket trace, but other text; record one with `picket exec --record FILE`");
}

#[test]
fn patterns_and_words_are_checked_as_a_manifests_are() {
    let (text, _) = written(&[]);
    let header = String::from_utf8(text).unwrap().lines().next().unwrap().to_owned();
    let line = "{\"tampered\":{\"sandbox\":null,\"at\":1,\"tampering\":\"magic\"}}";
    assert_snapshot!(complaint(format!("{header}\n{line}\n")), @"x.trace:2:54: `magic` is not a kind of tampering; the file was damaged or changed after it was written");
    let line = "{\"event\":{\"sandbox\":[0,1],\"at\":1,\"cpu\":0,\"sequence\":0,\"tgid\":1,\"tid\":1,\"start\":1,\
                \"fact\":{\"open\":{\"path\":{\"resolved\":{\"hex\":\"2g\"}},\"file\":[1,2],\"links\":1,\"access\":\"r\"}}}}";
    assert_snapshot!(complaint(format!("{header}\n{line}\n")), @"x.trace:2:128: not pairs of hexadecimal digits; the file was damaged or changed after it was written");
}

#[test]
fn a_file_that_is_no_trace_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes");
    fs::write(&path, "{\"picket_").unwrap();
    let error = Writer::create(&path, &header()).unwrap_err();
    assert_snapshot!(error, @"is there already and no trace, so it is not overwritten: name another file");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"picket_");
    assert_snapshot!(Writer::create(directory.path(), &header()).unwrap_err(), @"Is a directory (os error 21)");
    fs::write(&path, some_trace()).unwrap();
    Writer::create(&path, &header()).unwrap().finish(0).unwrap();
    assert_eq!(read_inputs(&path).unwrap().1, []);
}

#[test]
fn a_full_disk_leaves_a_trace_that_breaks_off() {
    /// As large as this, not larger.
    struct Disk<'a>(&'a mut [u8]);
    impl std::io::Write for Disk<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut disk = vec![0; 500];
    let mut writer = Writer::new(Disk(&mut disk), &header()).unwrap();
    let tick = Input::Tick { at: KernelTime::BOOT };
    let n_written = (0..100).take_while(|_| writer.input(&tick).is_ok()).count();
    assert!((1..20).contains(&n_written));
    drop(writer);
    assert!(
        matches!(read(&disk), Err(TraceError::Truncated { whole, .. }) if whole == n_written as u64)
    );
}
