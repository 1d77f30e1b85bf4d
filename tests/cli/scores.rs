//! What a baseline makes of recorded runs: scores and reasons, calibration, evidence.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use picket::baseline::Store;
use picket::trace::{Clock, Reader, Writer};
use picket_engine::{Fact, Input};
use picket_tests::picket;
use picket_tests::runs::calm;
use serde_json::Value;

use super::baseline::Place;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// When the first of these runs was made.
const FIRST: u64 = 1_700_000_000;

/// What the plugin always does.
const USUAL: &str = "cat /etc/hostname >/dev/null";
/// The same and a program that it declared and never ran.
const NOVEL: &str = "cat /etc/hostname >/dev/null; sleep 0";

/// A run as if it had been made at another time, so that it is another run.
fn at(place: &Place, trace: &Path, unix_s: u64) -> PathBuf {
    let mut reader = Reader::open(trace).unwrap();
    let inputs: Vec<Input> = reader.by_ref().map(Result::unwrap).collect();
    let mut header = reader.header().clone();
    header.clock = Clock::new(header.clock.boot(), UNIX_EPOCH + Duration::from_secs(unix_s));
    let name = trace.file_stem().unwrap().to_str().unwrap();
    let copy = place.plugin.path(&format!("{name}-{unix_s}.trace"));
    let mut writer = Writer::create(&copy, &header).unwrap();
    inputs.iter().for_each(|input| writer.input(input).unwrap());
    writer.finish(0).unwrap();
    copy
}

/// Two runs a day from this day on.
fn twice_a_day(place: &Place, trace: &Path, days: std::ops::Range<u64>) -> Vec<PathBuf> {
    let runs = days.start * 2..days.end * 2;
    runs.map(|half| at(place, trace, FIRST + half * DAY / 2)).collect()
}

/// These words, with these traces.
fn from(words: &[&str], traces: &[PathBuf]) -> Vec<String> {
    let words = words.iter().map(|word| (*word).to_owned());
    let traces = traces.iter().map(|trace| trace.to_str().unwrap().to_owned());
    words
        .chain(["--store".to_owned(), "s.db".to_owned(), "--from".to_owned()])
        .chain(traces)
        .collect()
}

#[track_caller]
fn ask(place: &Place, code: i32, words: &[String]) -> Vec<Value> {
    place.ask(code, &words.iter().map(String::as_str).collect::<Vec<_>>())
}

#[track_caller]
fn learn(place: &Place, traces: &[PathBuf]) -> String {
    let lines =
        ask(place, 0, &from(&["learn", "-m", "manifest.yaml", "--artifact", "artifact"], traces));
    lines[0]["key"].as_str().unwrap().to_owned()
}

fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

/// The runs that were scored.
#[track_caller]
fn score(place: &Place, key: &str, traces: &[PathBuf]) -> Vec<Value> {
    let lines = ask(place, 0, &from(&["score", key], traces));
    of(&lines, "scored").into_iter().cloned().collect()
}

fn deeds(items: &Value) -> Vec<String> {
    let name = |item: &Value| {
        format!("{}:{}", item["family"].as_str().unwrap(), item["template"].as_str().unwrap())
    };
    items.as_array().unwrap().iter().map(name).collect()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn a_program_that_never_ran_is_found_and_named_and_a_usual_run_is_as_usual() {
    let mut place = Place::new();
    // Several: the shell waits by other calls when its child has ended before it looks.
    let usual = [0, 1, 2].map(|_| place.record(USUAL));
    let (other, novel) = (place.record(USUAL), place.record(NOVEL));
    let hours = (0..32).zip(usual.iter().cycle());
    let learned: Vec<PathBuf> =
        hours.map(|(hour, usual)| at(&place, usual, FIRST + hour * HOUR)).collect();
    let key = learn(&place, &learned);
    let before = place.export("s.db");
    // One at a time: two runs of one second are told in no order of theirs.
    let scored = [other, novel.clone()].map(|trace| score(&place, &key, &[trace]).remove(0));
    let novelty = |run: usize| &scored[run]["lanes"]["novelty"];
    assert_eq!((&scored[0]["learned"], &scored[0]["scored_by_runs"]), (&false.into(), &32.into()));
    assert_eq!(novelty(0)["above_bits"], Value::Null, "{}", scored[0]);
    assert!(8 <= novelty(1)["above_bits"].as_u64().unwrap(), "{}", scored[1]);
    let why = deeds(&novelty(1)["why"]);
    assert!(why.contains(&"exec:/usr/bin/sleep".to_owned()), "{why:?}");
    assert_eq!(scored[1]["lanes"]["danger"]["bits"], 0.0);
    assert_eq!(place.export("s.db"), before, "scoring changed what was learned");
    // In words, and the same ones each time.
    let words = ["score", &key, "--store", "s.db", "--from", novel.to_str().unwrap()];
    let [once, again] = [0, 1].map(|_| place.run(&words).stdout);
    assert_eq!(once, again);
    let human = String::from_utf8(once).unwrap();
    assert!(human.contains("new") && human.contains("exec:/usr/bin/sleep"), "{human}");
    assert!(human.contains("not known well enough yet"), "{human}");
    // What a person takes for harmless scores nothing.
    let accept = ["accept", &key, "exec:/usr/bin/sleep", "--reason", "it waits", "--store", "s.db"];
    place.ask(0, &accept);
    let accepted = score(&place, &key, &[novel]);
    let items = deeds(&accepted[0]["lanes"]["novelty"]["items"]);
    assert!(!items.contains(&"exec:/usr/bin/sleep".to_owned()), "{items:?}");
}

#[test]
fn a_run_that_was_learned_is_scored_by_the_others_and_that_is_said() {
    let mut place = Place::new();
    let (usual, novel) = (place.record(USUAL), place.record(NOVEL));
    let mut learned: Vec<PathBuf> =
        (0..7).map(|hour| at(&place, &usual, FIRST + hour * HOUR)).collect();
    learned.push(novel.clone());
    let key = learn(&place, &learned);
    let scored = score(&place, &key, &[novel]);
    assert_eq!((&scored[0]["learned"], &scored[0]["scored_by_runs"]), (&true.into(), &7.into()));
    let items = deeds(&scored[0]["lanes"]["novelty"]["items"]);
    assert!(
        items.contains(&"exec:/usr/bin/sleep".to_owned()),
        "it was scored by itself: {items:?}"
    );
    // The only run there is has no others.
    let mut alone = Place::new();
    let trace = alone.record(USUAL);
    let key = learn(&alone, std::slice::from_ref(&trace));
    let words = ["score", &key, "--store", "s.db", "--from", trace.to_str().unwrap()];
    let human = String::from_utf8(alone.run(&words).stdout).unwrap();
    assert!(human.contains("it is the whole baseline, so nothing can be said of it"), "{human}");
}

#[test]
fn a_lossy_run_is_scored_on_what_arrived_and_its_loss_is_a_lane_of_its_own() {
    let mut place = Place::new();
    let (usual, novel) = (place.record(USUAL), place.record(NOVEL));
    let learned: Vec<PathBuf> =
        (0..15).map(|hour| at(&place, &usual, FIRST + hour * HOUR)).collect();
    let key = learn(&place, &learned);
    let mut reader = Reader::open(&novel).unwrap();
    let inputs: Vec<Input> = reader.by_ref().map(Result::unwrap).collect();
    let lossy = place.plugin.path("lossy.trace");
    let mut writer = Writer::create(&lossy, reader.header()).unwrap();
    let mut lost = false;
    for input in &inputs {
        writer.input(input).unwrap();
        if let (false, Input::Event { sandbox, order, fact: Fact::Exec { .. }, .. }) = (lost, input)
        {
            writer.input(&Input::Loss { sandbox: *sandbox, lost: 3, at: order.time }).unwrap();
            lost = true;
        }
    }
    writer.finish(0).unwrap();
    let [lossy, whole] = [lossy, novel].map(|trace| score(&place, &key, &[trace]).remove(0));
    assert_eq!(lossy["faults"], serde_json::json!(["lost"]));
    assert_eq!(lossy["lanes"]["loss"]["bits"], 3.0);
    assert_eq!(lossy["lanes"]["novelty"], whole["lanes"]["novelty"]);
}

#[test]
fn a_recording_of_something_else_is_not_scored_and_the_way_out_is_said() {
    let mut place = Place::new();
    let trace = place.record(USUAL);
    let key = learn(&place, std::slice::from_ref(&trace));
    let trace = trace.to_str().unwrap();
    place.plugin.write("other.yaml", place.plugin.manifest() + "# changed\n");
    place.plugin.write("other", "another build");
    let redacted = place.path("redacted.trace");
    place.plugin.write("cut.trace", {
        let whole = std::fs::read_to_string(trace).unwrap();
        whole.lines().take(3).map(|line| format!("{line}\n")).collect::<String>()
    });
    picket_tests::picket().args(["replay", trace, "--redact", &redacted]).output().unwrap();
    for (more, complaint) in [
        (&[trace, "--manifest", "other.yaml"][..], "another manifest has another baseline"),
        (&[trace, "--artifact", "other"], "another build has another baseline"),
        (&[trace, "--recorded-as", "mail"], "say --recorded-as"),
        (&["manifest.yaml"], "is no Picket trace"),
        (&["nowhere"], "nowhere: cannot be read"),
        (&["cut.trace"], "cut.trace: breaks off"),
        (&[&redacted], "is redacted"),
    ] {
        for command in ["score", "calibrate"] {
            // What is wrong is said before it is asked whether enough is known.
            let words = [&[command, &key, "--store", "s.db", "--from"], more].concat();
            place.check_refused(&words, 64, complaint);
        }
    }
    let words = ["score", "ffffff", "--store", "s.db", "--from", trace];
    place.check_refused(&words, 64, "`picket baseline list` shows them");
    for (budget, complaint) in [
        ("1 per 0 plugin-days", "write at least 1"),
        ("1 per 1000000000000 plugin-days", "is beyond 1000000"),
        ("often", "such as '1 per 30 plugin-days'"),
    ] {
        let words = ["score", &key, "--store", "s.db", "--budget", budget, "--from", trace];
        place.check_refused(&words, 64, complaint);
    }
    let words =
        ["score", &key, "--store", "s.db", "--budget", "1 per 30 plugin-days", "--from", trace];
    place.check_refused(&words, 1, "it has no certificate");
}

/// A plugin that is known: a fortnight of two runs a day. And a usual run of it, and another one.
fn known() -> (Place, String, PathBuf, PathBuf) {
    let mut place = Place::new();
    let (usual, novel) = (place.record(USUAL), place.record(NOVEL));
    let key = learn(&place, &twice_a_day(&place, &usual, 0..15));
    (place, key, usual, novel)
}

fn status(place: &Place, key: &str) -> Vec<Value> {
    place.ask(0, &["status", key, "--store", "s.db"])
}

#[test]
fn nothing_is_calibrated_before_enough_is_known() {
    let mut place = Place::new();
    let trace = place.record(USUAL);
    let key = learn(&place, std::slice::from_ref(&trace));
    let later = at(&place, &trace, now() + DAY);
    let lines = ask(&place, 3, &from(&["calibrate", &key], &[later]));
    assert_eq!(lines[0]["event"], "not_known");
    let conditions: Vec<_> =
        lines[1..].iter().map(|line| line["condition"].as_str().unwrap()).collect();
    assert!(conditions.contains(&"days") && conditions.contains(&"runs"), "{conditions:?}");
    assert!(lines[1..].iter().all(|line| line["met"] == false), "{lines:?}");
    let status = place.ask(3, &["status", &key, "--store", "s.db"]);
    assert_eq!((&status[0]["state"], of(&status, "calibration").len()), (&"learning".into(), 0));
}

#[test]
fn runs_after_learning_certify_a_plugin_and_what_is_claimed_is_said() {
    let (place, key, usual, _) = known();
    assert_eq!(status(&place, &key)[0]["state"], "calibrating");
    // A fortnight of it is not enough, and one of the learned runs does not count.
    let mut half = twice_a_day(&place, &usual, 15..29);
    half.push(at(&place, &usual, FIRST));
    half.push(at(&place, &usual, FIRST + HOUR));
    let lines = ask(&place, 3, &from(&["calibrate", &key], &half));
    assert_eq!(of(&lines, "calibrated").len(), 28);
    assert_eq!((of(&lines, "learned").len(), of(&lines, "early").len()), (1, 1), "{lines:?}");
    let missing = of(&lines, "calibration_missing");
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert_eq!(missing[0]["text"], "13 of 28 days of calibration: go on calibrating");
    // The same again changes nothing.
    let again = ask(&place, 3, &from(&["calibrate", &key], &half));
    assert_eq!((of(&again, "calibrated").len(), of(&again, "known").len()), (0, 28));
    assert_eq!(of(&again, "calibration"), of(&lines, "calibration"));
    let rest = twice_a_day(&place, &usual, 29..44);
    let lines = ask(&place, 0, &from(&["calibrate", &key], &rest));
    let [certificate] = of(&lines, "certificate")[..] else { panic!("{lines:?}") };
    assert_eq!(certificate["calibrated_days"], 28);
    let claims = certificate["claims"].as_array().unwrap();
    let told: Vec<_> = claims
        .iter()
        .map(|claim| {
            let of = |name: &str| claim[name].as_u64().unwrap();
            (of("budget_days"), of("achieved_days"), claim["extrapolated"] == true)
        })
        .collect();
    assert_eq!(told, [(28, 28, false), (30, 28, true), (300, 28, true)]);
    let status = status(&place, &key);
    assert_eq!(status[0]["state"], "certified");
    assert_eq!(of(&status, "certificate"), [certificate]);
    let human = place.run(&["status", &key, "--store", "s.db"]);
    let human = String::from_utf8(human.stdout).unwrap();
    assert!(human.contains("dry-run up to 28 days, extrapolated beyond"), "{human}");
    assert!(human.contains("bounds are assumed"), "{human}");
    // More runs change nothing any more.
    let lines = ask(&place, 0, &from(&["calibrate", &key], &twice_a_day(&place, &usual, 44..45)));
    assert_eq!(of(&lines, "certified").len(), 2);
    assert_eq!(of(&lines, "certificate"), [certificate]);
}

#[test]
fn learning_makes_a_certificate_stale_and_accepting_does_not() {
    let (place, key, usual, novel) = known();
    let runs = twice_a_day(&place, &usual, 15..44);
    ask(&place, 0, &from(&["calibrate", &key], &runs));
    let accept = ["accept", &key, "exec:/usr/bin/git", "--reason", "clones", "--store", "s.db"];
    place.ask(0, &accept);
    assert_eq!(status(&place, &key)[0]["state"], "certified");
    learn(&place, &[at(&place, &usual, FIRST + 14 * DAY + HOUR)]);
    let lines = status(&place, &key);
    assert_eq!(lines[0]["state"], "stale");
    assert_eq!(of(&lines, "certificate").len(), 0);
    let lines = ask(&place, 3, &from(&["calibrate", &key], &runs));
    assert_eq!(lines[0]["event"], "stale");
    let words = from(&["score", &key, "--budget", "1 per 30 plugin-days"], &[novel]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    place.check_refused(&words, 1, "its certificate is stale");
    // Anew, but not on the runs from before the acceptance, which was made today.
    let lines = ask(&place, 3, &from(&["calibrate", &key, "--anew"], &runs));
    assert_eq!(of(&lines, "early").len(), runs.len());
    let today = (now() - FIRST) / DAY + 1;
    let runs = twice_a_day(&place, &usual, today..today + 29);
    ask(&place, 0, &from(&["calibrate", &key], &runs));
    assert_eq!(status(&place, &key)[0]["state"], "certified");
}

#[test]
fn evidence_is_what_the_detector_makes_of_runs_after_the_calibration() {
    let (place, key, usual, novel) = known();
    ask(&place, 0, &from(&["calibrate", &key], &twice_a_day(&place, &usual, 15..44)));
    let budget = ["score", &key, "--budget", "1 per 60 plugin-days"];
    let calm = twice_a_day(&place, &usual, 44..74);
    let lines = ask(&place, 0, &from(&budget, &calm));
    let evidence = of(&lines, "evidence");
    assert_eq!(evidence.len(), calm.len());
    assert!(evidence.iter().all(|line| line["would_contain"] == false), "{evidence:?}");
    // Thirty days of it, which is not the sixty that the budget allows.
    let last = evidence[evidence.len() - 1]["evidence_ms"].as_u64().unwrap();
    assert!(last < 30 * DAY * 1000, "{last}");
    // Two runs a day certify little, so it takes its time.
    let attack = twice_a_day(&place, &novel, 44..164);
    let lines = ask(&place, 3, &from(&budget, &attack));
    let contained = of(&lines, "evidence").iter().position(|line| line["would_contain"] == true);
    let contained = contained.unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!(of(&lines, "evidence")[contained]["lane"], "novelty");
    assert_eq!(of(&lines, "evidence_basis")[0]["extrapolated"], true);
    // What certified it says nothing about it.
    let lines = ask(&place, 0, &from(&budget, &twice_a_day(&place, &usual, 14..16)));
    assert_eq!((of(&lines, "no_evidence").len(), of(&lines, "evidence").len()), (4, 0));
}

/// `picket simulate` of a trace, with these words.
fn simulate(place: &Place, code: i32, trace: &Path, words: &[&str]) -> Vec<Value> {
    let mut command = picket();
    command.args(["simulate", "--output", "json", "-m", "manifest.yaml", "--store", "s.db"]);
    let output = command.args(words).arg(trace).current_dir(place.plugin.directory()).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_simulation_says_what_learned_evidence_would_have_done_at_a_budget() {
    let (place, key, usual, novel) = known();
    let by = |budget| ["--baseline", key.as_str(), "--budget", budget];
    let day = by("1 per 1 plugin-day");
    let words = ["simulate", "-m", "manifest.yaml", "--store", "s.db", novel.to_str().unwrap()];
    let refused = picket().args(words).args(day).current_dir(place.plugin.directory()).output();
    let refused = refused.unwrap();
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{complaint}");
    assert!(complaint.contains("it has no certificate, so nothing is evidence"), "{complaint}");
    let mut store = Store::open(&place.plugin.path("s.db")).unwrap();
    let identity = store.find(&key).unwrap().identity;
    calm(&mut store, &identity, FIRST + 15 * DAY, 29, 400, FIRST + 44 * DAY);
    drop(store);
    // A first run of it is enough for a budget of a day, and not for one of a month.
    let lines = simulate(&place, 3, &novel, &day);
    let [finding] = of(&lines, "finding")[..] else { panic!("{lines:?}") };
    assert_eq!(finding["reason"], "anomalous_behaviour", "{finding}");
    let deed = finding["deed"].as_str().unwrap();
    assert!(deed.contains("by novelty: exec /usr/bin/sleep (new, "), "{deed}");
    assert_eq!(of(&lines, "would_contain")[0]["step"], "freeze");
    assert_eq!(of(&lines, "only_now").len(), 1);
    let lines = simulate(&place, 0, &novel, &by("1 per 30 plugin-days"));
    assert_eq!(of(&lines, "finding").len(), 0);
    let evidence = of(&lines, "evidence")[0]["evidence_ms"].as_u64().unwrap();
    assert!(0 < evidence && evidence < 30 * DAY * 1000, "{evidence}");
    let words = [&words[..], &by("1 per 30 plugin-days")].concat();
    let told = picket().args(words).current_dir(place.plugin.directory()).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    for word in ["at most one false action per 30 plugin-days", "the run is evidence of "] {
        assert!(told.contains(word), "no {word:?} in {told}");
    }
    assert_eq!(simulate(&place, 0, &usual, &day)[0]["findings"], 0);
    // One from before the calibration was complete says nothing.
    let early = at(&place, &novel, FIRST + 40 * DAY);
    let lines = simulate(&place, 0, &early, &day);
    assert_eq!(
        (&of(&lines, "evidence")[0]["early"], of(&lines, "finding").len()),
        (&true.into(), 0)
    );
    // Both or neither: a budget without a baseline is of nobody.
    for words in [&day[..2], &day[2..]] {
        simulate(&place, 64, &novel, words);
    }
}
