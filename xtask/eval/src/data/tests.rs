//! The parsers refuse what makes no sense and say where; the figures are those worked out by hand; the table that the
//! kernel side holds says what the engine's model says.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use picket_engine::sequence::{Call, CallCounts, Level, SurpriseModel, Trail};
use proptest::prelude::*;

use super::measure::{Scores, Share, area, curve, threshold};
use super::production::{self, Table};
use super::random::Random;
use super::references::{Stide, WittenBell};
use super::sets::{Adfa, Lpr};
use super::table;
use super::{Request, run};

const ADFA: &str = "trace\tlabel\tattack_type\tattack_instance\ttemporal_part\tcopies\tidentical_to_training\t\
                    identical_to_some_normal\tlength\tsequence\n";
const LPR: &str = "job\tutc_seconds_local_clock\thost\tpart\tlength\tsequence\n";
const LPR_ATTACKS: &str = "trace\tcopies\tlength\tsequence\n";

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut packed = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap();
}

/// What the reader says of a table of two columns, a name and calls with their number before them.
fn complaint(bytes: &[u8]) -> String {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("t.gz");
    put(&path, bytes);
    said(&path, place.path())
}

fn said(path: &Path, place: &Path) -> String {
    let columns = ["name", "length", "calls"];
    let all = table::read(path, &columns, |row| {
        row.one_of(0, &["a", "ä"])?;
        row.calls(2, 1)
    });
    let said = all.map(|rows| format!("{rows:?}")).unwrap_or_else(|error| error.to_string());
    said.replace(&format!("{}/", place.display()), "")
}

#[test]
fn a_table_that_makes_no_sense_is_refused_with_file_line_and_column() {
    for (rows, expected) in [
        ("a\t2\t5 6\n", "[[5, 6]]"),
        ("a\t2\t5 x\n", "t.gz:2:7: `x` is no system call number"),
        ("a\t2\t5 -6\n", "t.gz:2:7: `-6` is no system call number"),
        ("a\t2\t5  6\n", "t.gz:2:7: `` is no system call number"),
        ("a\t1\t70000\n", "t.gz:2:5: `70000` is no system call number"),
        ("a\t0\t\n", "t.gz:2:5: `` is no system call number"),
        ("a\t3\t5 6\n", "t.gz:2:3: 3 calls are announced, 2 follow"),
        ("a\t2.0\t5 6\n", "t.gz:2:3: `2.0` is no number here"),
        ("a\t1\t5\nb\t1\t5\n", "t.gz:3:1: `b` is none of: a, ä"),
        ("ä\t1\t?\n", "t.gz:2:5: `?` is no system call number"),
        ("a\t1\n", "t.gz:2:1: 2 fields, there must be 3"),
        ("a\t1\t5\t\n", "t.gz:2:1: 4 fields, there must be 3"),
        ("a\t1\t5", "t.gz:2:6: the line has no end: the file is cut off or damaged"),
        ("a\t1\t5\n\n", "t.gz:3:1: 1 fields, there must be 3"),
        ("", "t.gz:1:1: no trace in it"),
    ] {
        let table = format!("name\tlength\tcalls\n{rows}");
        assert_eq!(complaint(table.as_bytes()), expected, "{rows:?}");
    }
    assert_eq!(complaint(b"name\tcalls\n"), "t.gz:1:1: the columns must be: name, length, calls");
    assert_eq!(
        complaint(b"name\tlength\tcalls\na\t\xFF"),
        "t.gz:2:4: the line has no end: the file is cut off or damaged"
    );
    assert_eq!(complaint(b"name\tlength\tcalls\na\t\xFF\n"), "t.gz:2:3: not text (UTF-8)");
}

#[test]
fn a_file_that_is_not_packed_or_cut_off_is_refused_with_its_place() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("t.gz");
    fs::write(&path, "name\tlength\tcalls\n").unwrap();
    assert_eq!(
        said(&path, place.path()),
        "t.gz:1:1: the rest cannot be unpacked: invalid gzip header"
    );
    let rows: String = (0..9999).map(|call| format!("a\t1\t{call}\n")).collect();
    put(&path, format!("name\tlength\tcalls\n{rows}").as_bytes());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let said = said(&path, place.path());
    assert!(said.starts_with("t.gz:") && said.contains("cannot be unpacked"), "{said}");
}

#[test]
fn without_the_data_it_says_which_they_are_and_where_they_were_published() {
    let place = tempfile::tempdir().unwrap();
    let said = Adfa::read(place.path()).err().unwrap().to_string();
    let words = [
        "adfa-ld/train.tsv.gz: No such file",
        "ADFA-LD",
        "Creech and Hu, 2013",
        "docs/sequences.md",
    ];
    assert!(words.iter().all(|word| said.contains(word)), "{said}");
}

#[test]
fn an_attack_among_what_is_learned_from_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let row = "t\tattack\tx\t-\tpublic\t1\t0\t0\t1\t5\n";
    put(&place.path().join("adfa-ld/train.tsv.gz"), format!("{ADFA}{row}").as_bytes());
    let said = Adfa::read(place.path()).err().unwrap().to_string();
    assert!(said.ends_with("train.tsv.gz:2:3: `attack` is none of: normal"), "{said}");
}

#[test]
fn jobs_of_lpr_are_judged_in_order_of_time_whatever_their_order_in_the_file() {
    let place = tempfile::tempdir().unwrap();
    small(place.path());
    let lpr = Lpr::read(place.path()).unwrap();
    let experiments = lpr.experiments(&mut Random::new(1));
    let first: Vec<u32> = experiments[0].calib.iter().map(|trace| trace[0]).collect();
    assert!(first.is_sorted() && first.len() == 200, "{first:?}");
    let all = |index: usize| -> usize {
        let experiment = &experiments[index];
        experiment.train.len() + experiment.calib.len() + experiment.test.len()
    };
    assert_eq!((experiments.len(), all(0), all(5)), (6, 420, 420));
    assert_ne!(experiments[0].train, experiments[1].train);
}

/// Data sets with the layout of the real ones: a loop that varies, and attacks that leave it.
fn small(place: &Path) {
    let normal = |number: usize| {
        let calls: Vec<String> =
            (0..40 + number % 7).map(|at| (at % 5 + number % 3).to_string()).collect();
        (calls.len(), calls.join(" "))
    };
    let adfa = |label: &str, part: &str, from: usize, n_traces: usize| -> String {
        let row = |number: usize| {
            let (length, calls) = normal(number);
            format!("t{number}\t{label}\t-\t-\t{part}\t1\t0\t0\t{length}\t{calls}\n")
        };
        (from..from + n_traces).map(row).collect()
    };
    let attack = "a\tattack\tkind\t1\tpublic\t1\t0\t0\t8\t99 98 97 96 95 94 93 92\n";
    let file = |name: &str, text: String| put(&place.join(name), text.as_bytes());
    file("adfa-ld/train.tsv.gz", format!("{ADFA}{}", adfa("normal", "train", 0, 60)));
    let early = adfa("normal", "calib", 60, 120);
    file("adfa-ld/calib.tsv.gz", format!("{ADFA}{early}{}", adfa("normal", "public", 180, 60)));
    let later = adfa("normal", "public", 240, 40);
    file("adfa-ld/test_public.tsv.gz", format!("{ADFA}{later}{attack}"));
    let lpr = |part: &str, n_jobs: usize| -> String {
        let row = |number: usize| format!("j\t{}\th\t{part}\t3\t{number} 2 3\n", 1000 + number);
        (0..n_jobs).rev().map(row).collect()
    };
    let known = format!("{LPR}{}{}", lpr("train", 200), lpr("calib", 200));
    file("mit-lpr/normal_train_calib.tsv.gz", known);
    file("mit-lpr/normal_test_public.tsv.gz", format!("{LPR}{}", lpr("public", 20)));
    file("mit-lpr/attack_public.tsv.gz", format!("{LPR_ATTACKS}a\t953\t4\t400 401 402 403\n"));
}

#[test]
fn a_whole_run_writes_figures_and_plots_and_the_same_ones_for_the_same_seed() {
    let place = tempfile::tempdir().unwrap();
    small(place.path());
    let figures = |name: &str| {
        let out = place.path().join(name);
        run(&Request { data: place.path().to_owned(), out: out.clone(), seed: 7 }).unwrap();
        let text = fs::read_to_string(out.join("sequences.json")).unwrap();
        let drawn =
            ["roc-adfa-ld-split", "roc-adfa-ld-time", "roc-mit-lpr-time", "evidence-of-one-attack"];
        assert!(drawn.iter().all(|plot| out.join(format!("{plot}.svg")).exists()));
        text
    };
    let text = figures("one");
    assert_eq!(text, figures("other"));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let headline = &json["experiments"][0]["methods"][0];
    assert_eq!(headline["method"], "production: 64 KiB table + histogram");
    assert_eq!(headline["at"][2]["detected"]["hits"], 1, "{headline}");
}

#[test]
fn the_threshold_is_the_score_of_the_rank_that_the_rule_names() {
    let calib: Vec<f64> = (1..=99).rev().map(f64::from).collect();
    // ceil(100 · 0.99) = 99 and ceil(100 · 0.95) = 95; ceil(100 · 0.999) = 100 is one too many.
    assert_eq!([1, 10, 50].map(|rate| threshold(&calib, rate)), [None, Some(99.0), Some(95.0)]);
    assert_eq!(threshold(&[], 10), None);
}

#[test]
fn intervals_are_wilsons() {
    // The textbook's 1 of 10: 1.79 % to 40.42 %.
    let (low, high) = Share { hits: 1, all: 10 }.interval();
    assert!((low - 1.79).abs() < 0.01 && (high - 40.42).abs() < 0.01, "{low} {high}");
    let (low, high) = Share { hits: 0, all: 10 }.interval();
    assert!(low.abs() < 1e-9 && (high - 27.75).abs() < 0.01, "{low} {high}");
}

#[test]
fn the_area_counts_won_pairs_and_half_of_the_ties() {
    let close = |area: f64, expected: f64| assert!((area - expected).abs() < 1e-12, "{area}");
    close(area(&[1.0, 2.0], &[3.0]), 1.0);
    close(area(&[1.0, 2.0, 3.0], &[2.0, 4.0]), 4.5 / 6.0);
    close(area(&[1.0], &[1.0]), 0.5);
}

#[test]
fn the_curve_ends_where_all_is_an_alarm_and_ties_make_one_step() {
    let scores =
        Scores { method: "", calib: vec![], test: vec![1.0, 2.0], attacks: vec![2.0, 2.0] };
    assert_eq!(curve(&scores), [(0.0, 0.0), (0.5, 1.0), (1.0, 1.0)]);
}

#[test]
fn stide_counts_windows_of_six_that_were_never_learned() {
    let stide = Stide::learn(&[vec![1, 2, 3, 4, 5, 6, 7]]);
    let scored =
        |trace: &[u32], expected: f64| assert!((stide.score(trace) - expected).abs() < 1e-12);
    scored(&[1, 2, 3, 4, 5, 6, 7], 0.0);
    scored(&[1, 2, 3, 4, 5, 6, 8], 0.5);
    scored(&[9, 9], 0.0);
}

#[test]
fn the_long_model_is_the_witten_bell_estimate_worked_out_by_hand() {
    let long = WittenBell::learn(&[vec![1, 2]]);
    // Each was seen once among two calls of two kinds; after 1 came 2, of one kind.
    let alone = (1.0 + 2.0 / 513.0) / 4.0;
    let after: f64 = (1.0 + alone) / 2.0;
    let bits = -(f64::log2(alone) + after.log2()) / 2.0;
    assert!((long.score(&[1, 2]) - bits).abs() < 1e-12, "{}", long.score(&[1, 2]));
}

#[test]
fn the_table_flags_as_novel_what_the_model_calls_novel() {
    let train = vec![vec![1, 2, 3, 4, 5, 1, 2, 9, 4, 5]];
    let (model, asked) = (model(&train), [1, 2, 3, 9, 7, 2, 3, 4, 5, 4, 3, 600]);
    let mut trail = Trail::START;
    let novel = |number: &&u32| {
        let call = Call::numbered(**number);
        let novel = model.is_novel(trail, call);
        trail.push(call);
        novel
    };
    let expected = asked.iter().filter(novel).count();
    let flagged: u32 =
        Table::new(&model, 64, 1).observe(&asked).iter().map(|second| second.novel).sum();
    assert_eq!((expected, flagged), (7, 7));
}

fn traces() -> impl Strategy<Value = Vec<Vec<u32>>> {
    prop::collection::vec(prop::collection::vec(0_u32..40, 1..200), 1..8)
}

/// Every learned call in its context.
fn learned(traces: &[Vec<u32>]) -> BTreeSet<[Call; 4]> {
    let mut all = BTreeSet::new();
    for trace in traces {
        let mut trail = Trail::START;
        for number in trace {
            let call = Call::numbered(*number);
            all.insert(trail.then(call).calls());
            trail.push(call);
        }
    }
    all
}

fn model(traces: &[Vec<u32>]) -> SurpriseModel {
    let mut counts = CallCounts::new(CallCounts::DEFAULT_LIMIT);
    for trace in traces {
        let mut trail = Trail::START;
        trace.iter().for_each(|number| counts.learn(&mut trail, Call::numbered(*number)));
    }
    SurpriseModel::new(&counts).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_look_up_gives_the_models_level_or_is_a_counted_collision(traces in traces(), kib in 1_u32..=64, seed: u64) {
        let model = model(&traces);
        let table = Table::new(&model, kib, seed);
        let differs = |calls: &[Call; 4]| {
            let [first, second, third, call] = *calls;
            let mut trail = Trail::START;
            [first, second, third].into_iter().for_each(|call| trail.push(call));
            let surprise = model.surprise(trail, call);
            let level = table.level(*calls);
            assert_eq!(model.level(trail, call), Level::of(surprise));
            level != Level::of(surprise).get()
        };
        let all = learned(&traces);
        let n_differ = all.iter().filter(|calls| differs(calls)).count();
        let counted = table.packed.collided + table.packed.no_room;
        prop_assert!(n_differ <= counted as usize, "{n_differ} differ, {counted} are counted");
        prop_assert_eq!(all.len(), (counted + table.packed.stored) as usize);
    }

    #[test]
    fn what_was_learned_is_never_flagged_as_novel_while_there_is_room(traces in traces(), seed: u64) {
        let table = Table::new(&model(&traces), 64, seed);
        let flags = |trace: &Vec<u32>| table.observe(trace).iter().map(|second| second.novel).sum::<u32>();
        let lost = table.packed.collided + table.packed.no_room + table.packed_two.no_room;
        prop_assert!(0 < lost || traces.iter().all(|trace| flags(trace) == 0));
    }

    #[test]
    fn where_the_seconds_are_cut_does_not_change_the_score(traces in traces(), second in 1_usize..300) {
        let table = Table::new(&model(&traces), 64, 1);
        for trace in &traces {
            let whole = table.observe_in(trace, usize::MAX).0;
            let cut = table.observe_in(trace, second).0;
            prop_assert_eq!(production::mean(&whole), production::mean(&cut));
        }
    }

    #[test]
    fn the_order_of_training_does_not_change_the_table(traces in traces(), asked in prop::collection::vec(0_u32..600, 1..50)) {
        let backwards: Vec<Vec<u32>> = traces.iter().rev().cloned().collect();
        let tables = [&traces, &backwards].map(|traces| Table::new(&model(traces), 16, 3).observe(&asked));
        prop_assert_eq!(&tables[0], &tables[1]);
    }
}
