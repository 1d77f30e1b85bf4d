use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::Cell;
use std::format;

use proptest::prelude::*;

use super::starred::Starred;
use super::{ArgPattern, Pattern, Segments};

fn parse(source: &str) -> Pattern {
    Pattern::parse(source).unwrap()
}

/// One check for the whole semantics: what a pattern means, and what it does not.
fn check(source: &str, means: &[&str], not: &[&str]) {
    let pattern = parse(source);
    for path in means {
        assert!(pattern.matches(path.as_bytes()), "{source} should mean {path}");
    }
    for path in not {
        assert!(!pattern.matches(path.as_bytes()), "{source} should not mean {path}");
    }
}

#[test]
fn a_pattern_without_stars_means_itself_and_nothing_else() {
    check("/a/b", &["/a/b"], &["/a", "/a/b/c", "/a/bb", "/a/b/", "a/b", "//a/b", "/a/./b", ""]);
    check("/", &["/"], &["/a", "", "//"]);
}

#[test]
fn a_star_stands_for_any_run_inside_one_segment() {
    check("/a/*", &["/a/b", "/a/.hidden", "/a/\n"], &["/a", "/a/", "/a/b/c", "/b/b"]);
    check("/*.so", &["/.so", "/x.so", "/.so.so"], &["/x.so.1", "/a/x.so"]);
    check("/lib*.so*", &["/lib.so", "/libc.so.6"], &["/lib.s", "/xlib.so"]);
    check("/a*b*c", &["/abc", "/aXbYc", "/abcbc", "/abbcc"], &["/acb", "/ab", "/abcd"]);
    check("/*/x/*", &["/a/x/b"], &["/x/b", "/a/x", "/a/b/x/c"]);
}

#[test]
fn two_stars_stand_for_any_run_of_segments_also_none() {
    check("/a/**", &["/a", "/a/b", "/a/b/c"], &["/", "/ab", "/b/a"]);
    check("/**", &["/", "/a", "/a/b"], &["", "a"]);
    check("/**/x", &["/x", "/a/x", "/x/x", "/a/b/x"], &["/", "/x/a", "/ax"]);
    check("/a/**/b/**/c", &["/a/b/c", "/a/1/b/2/3/c", "/a/b/b/c/c"], &["/a/c/b", "/a/b", "/a/c"]);
    check("/a/**/**/b", &["/a/b", "/a/x/b"], &["/a", "/b"]);
    check("/**/*.key", &["/x.key", "/a/b/x.key"], &["/x.key/a", "/key"]);
    // A middle block is taken at its first place, and the end still has to fit behind it.
    check("/**/a/b/**/b", &["/a/b/b", "/a/a/b/x/b"], &["/a/b", "/b/a/b"]);
}

#[test]
fn a_backslash_takes_the_meaning_from_a_star() {
    check(r"/a/\*", &["/a/*"], &["/a/b", r"/a/\*"]);
    check(r"/a/\\", &[r"/a/\"], &["/a/x"]);
    check(r"/\**", &["/*", "/*x"], &["/x"]);
    check(r"/\*\*", &["/**"], &["/", "/a"]);
}

#[test]
fn no_pattern_means_a_path_that_is_text_rather_than_a_place() {
    let texts = ["/a/../b", "/a/./b", "/a//b", "/a/", "/..", "/.", "a", "", "./a", "/a/.."];
    check("/**", &[], &texts);
}

#[test]
fn bytes_that_are_no_utf_8_are_bytes_like_any_other() {
    assert!(parse("/a/*").matches(b"/a/\xff\xfe"));
    assert!(!parse("/a/\u{fffd}").matches(b"/a/\xff"));
}

#[test]
fn what_means_nothing_is_refused_with_its_place() {
    let refused = |source: &str| Pattern::parse(source).unwrap_err().to_string();
    let cases = [
        ("", "at byte 0: a path cannot be empty"),
        ("a/b", "at byte 0: a path starts with `/`"),
        ("**", "at byte 0: a path starts with `/`"),
        ("/a/./b", "at byte 3: `.` and `..` are not allowed: write the path that they lead to"),
        ("/a/..", "at byte 3: `.` and `..` are not allowed: write the path that they lead to"),
        ("/a//b", "at byte 3: two slashes in a row: write one"),
        ("//", "at byte 1: two slashes in a row: write one"),
        ("/a/", "at byte 2: a path does not end in `/`: write `/**` for everything below"),
        (
            "/a/b**",
            "at byte 4: `**` stands alone between slashes: write `*` for a run inside one segment",
        ),
        (
            "/***",
            "at byte 1: `**` stands alone between slashes: write `*` for a run inside one segment",
        ),
        ("/a\0", "at byte 2: no path or argument contains NUL"),
        ("/a/\\", "at byte 3: a backslash ends the text: write `\\\\` for a backslash"),
        ("/a/\\b", "at byte 3: only `\\*` and `\\\\` are escapes: write `\\\\` for a backslash"),
    ];
    for (source, message) in cases {
        assert_eq!(refused(source), message, "{source:?}");
    }
    let longest = format!("/{}", "a".repeat(4095));
    assert!(Pattern::parse(&longest).is_ok());
    assert_eq!(
        refused(&format!("{longest}a")),
        "at byte 4096: longer than 4096 bytes: no such path can be opened"
    );
}

#[test]
fn the_literal_prefix_ends_before_the_first_segment_with_a_star() {
    let cases = [
        ("/", "/", true),
        ("/**", "/", false),
        ("/*/a", "/", false),
        ("/a/b", "/a/b", true),
        ("/a/b*/c", "/a", false),
        ("/a/b/**/c", "/a/b", false),
        (r"/a\*/\\/*", r"/a*/\", false),
    ];
    for (source, prefix, literal) in cases {
        let pattern = parse(source);
        assert_eq!((pattern.literal_prefix().as_str(), pattern.is_literal()), (prefix, literal));
    }
}

#[test]
fn the_prefix_follows_a_symbolic_link_and_the_stars_stay() {
    let cases = [
        ("/bin/*", "/usr/bin", "/usr/bin/*"),
        ("/bin/sh", "/usr/bin/dash", "/usr/bin/dash"),
        ("/**/x", "/root", "/root/**/x"),
        ("/link/**", "/", "/**"),
        ("/link", "/", "/"),
        ("/", "/a", "/a"),
        ("/link/*", r"/odd*\name", r"/odd\*\\name/*"),
        (r"/a\*/b*", "/c", "/c/b*"),
    ];
    for (source, prefix, replaced) in cases {
        assert_eq!(parse(source).with_prefix_replaced(prefix).unwrap().to_string(), replaced);
    }
    for prefix in ["", "relative", "/a/../b", "/a/"] {
        assert!(parse("/x/*").with_prefix_replaced(prefix).is_err(), "{prefix:?}");
    }
}

#[test]
fn nearness_counts_segments_from_the_root() {
    let shared = |source: &str, path: &str| {
        parse(source).shared_segments(&Segments::of(path.as_bytes()).unwrap())
    };
    assert_eq!(shared("/a/b/c", "/a/b/x"), 2);
    assert_eq!(shared("/a/*/c", "/a/b/x"), 2);
    assert_eq!(shared("/a/**", "/a/b/x"), 1);
    assert_eq!(shared("/b", "/a/b/x"), 0);
}

#[test]
fn in_an_argument_a_slash_is_a_byte_like_any_other() {
    let means = |source: &str, argument: &str| {
        ArgPattern::parse(source).unwrap().matches(argument.as_bytes())
    };
    assert!(means("*", "") && means("*", "/any/thing"));
    assert!(means("--out=*.png", "--out=/a/b.png") && !means("--out=*.png", "--out=/a/b.jpg"));
    assert!(means("", "") && !means("", "x"));
    assert!(means("**", "x") && means(r"\*", "*") && !means(r"\*", "x"));
    assert!(ArgPattern::parse("\\").is_err() && ArgPattern::parse("a\0").is_err());
}

#[test]
fn a_pattern_covers_what_means_no_more_than_it_does() {
    let covers = |one: &str, other: &str| parse(one).covers(&parse(other));
    for (wide, narrow) in [
        ("/**", "/"),
        ("/**", "/a/*/**"),
        ("/a/**", "/a"),
        ("/a/**", "/a/*.so"),
        ("/a/*", "/a/b*c"),
        ("/*/x", "/*a/x"),
        ("/a*b*", "/ab*"),
        ("/**/x", "/a/**/x"),
        (r"/a/*", r"/a/\*"),
    ] {
        assert!(covers(wide, narrow), "{wide} should cover {narrow}");
        assert!(!covers(narrow, wide), "{narrow} should not cover {wide}");
        assert!(covers(wide, wide) && covers(narrow, narrow));
    }
    for (one, other) in
        [("/a/*", "/a/**"), ("/a*", "/*a"), ("/*/**", "/**"), ("/a", "/b"), (r"/\*", "/*")]
    {
        assert!(!covers(one, other), "{one} should not cover {other}");
    }
    let argument = |text: &str| ArgPattern::parse(text).unwrap();
    assert!(argument("*").covers(&argument("/a/*")) && argument("--*").covers(&argument("--x=*")));
    assert!(!argument("--x").covers(&argument("--x*")) && !argument("").covers(&argument("*")));
}

#[test]
fn patterns_meet_where_a_path_is_meant_by_both() {
    let meets = |one: &str, other: &str| {
        let (one, other) = (parse(one), parse(other));
        assert_eq!(one.meets(&other), other.meets(&one), "{one} and {other}");
        one.meets(&other)
    };
    for (one, other) in [
        ("/a/b", "/a/b"),
        ("/a/*.log", "/a/app-*"),
        ("/a/**", "/a"),
        ("/**/x", "/a/*/x"),
        ("/a/**/b/**", "/**/c"),
        ("/*", r"/\*"),
    ] {
        assert!(meets(one, other), "{one} and {other}");
    }
    for (one, other) in [
        ("/a/*", "/a/b/c"),
        ("/a/x*", "/a/y*"),
        ("/a", "/b/**"),
        ("/*.a", "/*.b"),
        ("/a*/b", "/ab"),
    ] {
        assert!(!meets(one, other), "{one} and {other}");
    }
}

/// Counts comparisons of one match of `n` stars against a text that defeats each of them late.
#[test]
fn no_pattern_costs_more_than_its_length_times_the_texts() {
    for stars in [1, 10, 100] {
        let mut pattern = Starred::new();
        for _ in 0..stars {
            pattern.push_star();
            (0..10).for_each(|_| pattern.push(b'a'));
            pattern.push(b'b');
        }
        pattern.push(b'c');
        let text = "a".repeat(2000);
        let steps = Cell::new(0_usize);
        let matched = pattern.matches(text.as_bytes(), |item, byte| {
            steps.set(steps.get() + 1);
            item == byte
        });
        assert!(!matched);
        assert!(steps.get() <= (11 * stars + 1) * text.len(), "{stars}: {}", steps.get());
    }
}

/// The semantics of the module's first paragraph, word by word, with every choice tried.
fn reference(pattern: &str, path: &str) -> bool {
    fn segments(text: &str) -> Vec<&str> {
        text.split('/').skip(1).filter(|segment| !segment.is_empty()).collect()
    }
    fn any_segments(pattern: &[&str], path: &[&str]) -> bool {
        match pattern {
            [] => path.is_empty(),
            ["**", rest @ ..] => (0..=path.len()).any(|n| any_segments(rest, &path[n..])),
            [one, rest @ ..] => {
                !path.is_empty()
                    && any_bytes(one.as_bytes(), path[0].as_bytes())
                    && any_segments(rest, &path[1..])
            }
        }
    }
    fn any_bytes(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', rest @ ..] => (0..=text.len()).any(|n| any_bytes(rest, &text[n..])),
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
                text.first() == Some(byte) && any_bytes(rest, &text[1..])
            }
        }
    }
    any_segments(&segments(pattern), &segments(path))
}

/// Few letters, so that generated paths do match generated patterns.
fn any_pattern() -> impl Strategy<Value = String> {
    let piece = prop_oneof![4 => "[ab]", 2 => Just("*".into()), 1 => Just(r"\*".into())];
    let segment = prop_oneof![
        3 => prop::collection::vec(piece, 1..5).prop_map(|pieces: Vec<String>| pieces.concat()),
        1 => Just("**".into()),
    ];
    prop::collection::vec(segment, 0..5)
        .prop_map(|segments| format!("/{}", segments.join("/")))
        .prop_filter("parses", |source| Pattern::parse(source).is_ok())
}

fn any_path() -> impl Strategy<Value = String> {
    prop::collection::vec(r"[ab*]{1,4}", 0..6).prop_map(|all| format!("/{}", all.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn matching_agrees_with_trying_every_choice(source in any_pattern(), path in any_path()) {
        prop_assert_eq!(parse(&source).matches(path.as_bytes()), reference(&source, &path));
    }

    #[test]
    fn a_prefix_replaced_by_itself_leaves_the_pattern_as_it_is(source in any_pattern()) {
        let pattern = parse(&source);
        prop_assert_eq!(&pattern.with_prefix_replaced(&pattern.literal_prefix()).unwrap(), &pattern);
    }

    #[test]
    fn a_path_made_from_a_pattern_is_meant_by_it(
        source in any_pattern(),
        run in "[ab]{0,3}",
        deep in "[ab]{1,2}(/[ab]{1,2}){0,2}",
    ) {
        let filled = source.replace(r"\*", "\0").replace("**", "\u{1}").replace('*', &run);
        let path = filled.replace('\0', "*").replace('\u{1}', &deep);
        // An empty run can leave a segment empty; then there is no such path.
        prop_assume!(!path.contains("//") && (path == source || !path.ends_with('/')));
        prop_assert!(parse(&source).matches(path.as_bytes()), "{} {}", source, path);
    }

    #[test]
    fn patterns_that_share_a_path_meet(
        one in any_pattern(),
        other in any_pattern(),
        paths in prop::collection::vec(any_path(), 32),
    ) {
        let (one, other) = (parse(&one), parse(&other));
        let shared = paths.iter().find(|path| {
            one.matches(path.as_bytes()) && other.matches(path.as_bytes())
        });
        prop_assert!(shared.is_none() || one.meets(&other), "{} and {}: {:?}", one, other, shared);
        prop_assert!(!one.covers(&other) || one.meets(&other), "{} and {}", one, other);
    }

    #[test]
    fn a_pattern_that_covers_another_means_all_that_the_other_means(
        one in any_pattern(),
        other in any_pattern(),
        paths in prop::collection::vec(any_path(), 32),
    ) {
        let (one, other) = (parse(&one), parse(&other));
        prop_assert!(one.covers(&one));
        if one.covers(&other) {
            for path in paths {
                prop_assert!(
                    !other.matches(path.as_bytes()) || one.matches(path.as_bytes()),
                    "{} covers {}, but not {}", one, other, path
                );
            }
        }
    }

    #[test]
    fn a_pattern_covers_a_path_exactly_when_it_means_it(one in any_pattern(), path in any_path()) {
        let literal = Pattern::parse(&super::parse::escaped(&path)).unwrap();
        prop_assert_eq!(parse(&one).covers(&literal), parse(&one).matches(path.as_bytes()));
    }

    #[test]
    fn a_literal_pattern_means_exactly_itself(one in any_path(), other in any_path()) {
        let literal = Pattern::parse(&super::parse::escaped(&one)).unwrap();
        prop_assert!(literal.is_literal());
        prop_assert_eq!(literal.literal_prefix(), one.clone());
        prop_assert!(literal.matches(one.as_bytes()));
        prop_assert_eq!(literal.matches(other.as_bytes()), one == other);
    }

    #[test]
    fn a_pattern_printed_and_parsed_is_the_same_pattern(source in any_pattern()) {
        let pattern = parse(&source);
        prop_assert_eq!(pattern.to_string(), source);
        prop_assert_eq!(parse(&pattern.to_string()), pattern);
    }

    #[test]
    fn replacing_the_prefix_by_itself_changes_nothing(source in any_pattern()) {
        let pattern = parse(&source);
        let replaced = pattern.with_prefix_replaced(&pattern.literal_prefix()).unwrap();
        prop_assert_eq!(replaced, pattern);
    }

    #[test]
    fn no_text_makes_parsing_or_matching_panic(source: String, path: Vec<u8>) {
        if let Ok(pattern) = Pattern::parse(&source) {
            pattern.matches(&path);
        }
        if let Err(error) = Pattern::parse(&format!("/{source}")) {
            prop_assert!(error.at <= source.len() + 1);
        }
        if let Ok(pattern) = ArgPattern::parse(&source) {
            pattern.matches(&path);
        }
    }
}
