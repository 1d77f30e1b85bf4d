use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use picket_engine::{
    baseline::{Family, Run, RunId},
    learned::PluginTime,
};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::*;
use crate::baseline::testing::{any_baseline, identity};
mod calibrated;

use migrate::{APPLICATION, MIGRATIONS, VERSION, migrate};

struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("state/baselines.db")
    }

    fn store(&self) -> Store {
        Store::make(&self.file()).unwrap()
    }

    /// A connection that knows nothing of stores.
    fn raw(&self) -> Connection {
        fs::create_dir_all(self.file().parent().unwrap()).unwrap();
        fs::write(self.file(), "").unwrap();
        fs::set_permissions(self.file(), fs::Permissions::from_mode(0o600)).unwrap();
        Connection::open(self.file()).unwrap()
    }

    /// Refused with these words by whoever opens it, and as it was afterwards.
    #[track_caller]
    fn check_refused(&self, words: &str) {
        let before = fs::read(self.file()).unwrap();
        for opened in [Store::make(&self.file()), Store::open(&self.file())] {
            let error = opened.unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(fs::read(self.file()).unwrap(), before, "it was changed");
    }
}

fn run(number: u64) -> Run {
    let mut run = Run::new(number, PluginTime::from_millis(1), true, 1);
    run.count(Family::Exec, &format!("/bin/{number}"), 1);
    run
}

fn id(number: u64) -> RunId {
    let mut id = RunId([0; 16]);
    id.0[..8].copy_from_slice(&number.to_le_bytes());
    id
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_changed_comes_back_as_it_was_and_changing_it_again_is_joining(
        one in any_baseline(identity("weather")), other in any_baseline(identity("weather")),
    ) {
        let place = Place::new();
        let weather = identity("weather");
        for next in [&one, &other, &other] {
            let mut store = place.store();
            let (before, after) = store.change(&weather, |known| known.join(next).unwrap()).unwrap();
            let mut expected = before;
            expected.join(next).unwrap();
            prop_assert_eq!(&after, &expected);
            let key = weather.key();
            let found = Store::open(&place.file()).unwrap().find(&key[..5]).unwrap();
            prop_assert_eq!(found, Entry { identity: weather.clone(), baseline: after });
        }
    }
}

#[test]
fn a_change_that_lets_runs_go_lets_them_go_in_the_file_too() {
    let place = Place::new();
    let weather = identity("weather");
    let most = Baseline::MOST_RUNS as u64;
    let (_, full) = place
        .store()
        .change(&weather, |known| {
            (1..=most).for_each(|number| known.learn(id(number), &run(number)))
        })
        .unwrap();
    assert!(!full.is_sampled());
    place.store().change(&weather, |known| known.learn(id(0), &run(0))).unwrap();
    let found = place.store().find("").unwrap().baseline;
    assert!(found.is_sampled() && found.run(id(0)).is_some());
    assert_eq!(found.runs().count(), Baseline::MOST_RUNS);
}

#[test]
fn the_file_and_its_directory_are_for_their_owner_alone() {
    let place = Place::new();
    let mut store = place.store();
    store.change(&identity("weather"), |known| known.learn(id(1), &run(1))).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let state = place.file().parent().unwrap().to_owned();
    assert_eq!(mode(&state), 0o700);
    let files: Vec<_> = fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(2 <= files.len(), "{files:?}");
    assert!(files.iter().all(|file| mode(file) == 0o600), "{files:?}");
}

#[test]
fn two_at_once_lose_nothing() {
    let place = Place::new();
    drop(place.store());
    let each = 25;
    thread::scope(|scope| {
        for half in 0..2 {
            let place = &place;
            scope.spawn(move || {
                for number in 0..each {
                    let number = half * each + number;
                    let learned = |known: &mut Baseline| known.learn(id(number), &run(number));
                    place.store().change(&identity("weather"), learned).unwrap();
                }
            });
        }
    });
    assert_eq!(place.store().find("").unwrap().baseline.runs().count() as u64, 2 * each);
}

#[test]
fn two_that_make_it_at_once_make_one() {
    let place = Place::new();
    let keys: Vec<_> = thread::scope(|scope| {
        let make = || place.store().key().unwrap();
        let makers: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
        makers.into_iter().map(|maker| maker.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[test]
fn a_key_is_found_by_its_beginning_when_that_is_enough() {
    let place = Place::new();
    let mut store = place.store();
    for plugin in ["weather", "mail"] {
        store.change(&identity(plugin), |_| {}).unwrap();
    }
    let key = identity("mail").key();
    assert_eq!(store.find(&key).unwrap().identity, identity("mail"));
    let error = store.find("").unwrap_err().to_string();
    assert!(error.contains("2 baselines"), "{error}");
    let error = store.find("x\u{1b}[2J").unwrap_err().to_string();
    assert!(error.contains("picket baseline list") && !error.contains('\u{1b}'), "{error}");
    let plugins: Vec<_> = store.list().unwrap().into_iter().map(|it| it.identity.plugin).collect();
    assert_eq!(plugins, ["mail", "weather"]);
}

#[test]
fn a_store_that_is_not_there_is_not_made_by_looking() {
    let place = Place::new();
    let error = Store::open(&place.file()).unwrap_err().to_string();
    assert!(error.contains("there is no store"), "{error}");
    assert!(!place.file().exists());
}

#[test]
fn a_newer_store_is_refused_and_left_alone() {
    let place = Place::new();
    drop(place.store());
    place.reopened().pragma_update(None, "user_version", VERSION + 1).unwrap();
    place.check_refused("has version 4, and this Picket knows 3");
}

#[test]
fn what_is_no_store_is_refused_and_left_alone() {
    let place = Place::new();
    place.raw().execute_batch("CREATE TABLE messages (number INTEGER)").unwrap();
    place.check_refused("is a database, and no store of baselines");
    fs::write(place.file(), "PK\u{3}\u{4} this is no database, and is as long as the head of one, which has a hundred bytes or so").unwrap();
    place.check_refused("is damaged, or is something else");
}

#[test]
fn a_damaged_store_is_refused_and_left_alone() {
    let place = Place::new();
    let learned = |known: &mut Baseline| (0..200).for_each(|it| known.learn(id(it), &run(it)));
    place.store().change(&identity("weather"), learned).unwrap();
    place.reopened().pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).unwrap();
    let mut bytes = fs::read(place.file()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..].iter_mut().for_each(|byte| *byte = 0xa5);
    fs::write(place.file(), bytes).unwrap();
    place.check_refused("move it away and import the last export, or learn anew");
}

#[test]
fn rows_that_no_picket_wrote_are_refused_when_they_are_read() {
    for statement in [
        "INSERT INTO faults VALUES (1, 'hunger', 1)",
        "INSERT INTO full_families VALUES (1, 'dance')",
        "UPDATE baselines SET plugin = 'a b'",
        "UPDATE baselines SET deployment = 'elsewhere'",
        "UPDATE templates SET family = 'dance'",
    ] {
        let place = Place::new();
        place.store().change(&identity("weather"), |known| known.learn(id(1), &run(1))).unwrap();
        assert_eq!(place.reopened().execute(statement, []).unwrap(), 1, "{statement}");
        let error = place.store().list().unwrap_err().to_string();
        assert!(error.contains("damaged"), "{statement}: {error}");
    }
}

#[test]
fn a_store_that_others_may_read_is_refused() {
    let place = Place::new();
    drop(place.store());
    fs::set_permissions(place.file(), fs::Permissions::from_mode(0o640)).unwrap();
    place.check_refused("chmod 600");
}

#[test]
fn a_change_that_finds_no_room_is_said_to_find_none_and_changes_nothing() {
    let place = Place::new();
    let mut store = place.store();
    let weather = identity("weather");
    store.change(&weather, |known| known.learn(id(1), &run(1))).unwrap();
    let pages = |pragma| store.connection.pragma_query_value(None, pragma, |row| row.get(0));
    let used: i64 = pages("page_count").unwrap();
    store.connection.pragma_update_and_check(None, "max_page_count", used, |_| Ok(())).unwrap();
    let many = |known: &mut Baseline| (2..900).for_each(|it| known.learn(id(it), &run(it)));
    let error = store.change(&weather, many).unwrap_err().to_string();
    assert!(error.contains("is full: export what you need"), "{error}");
    assert_eq!(place.store().find("").unwrap().baseline.runs().count(), 1);
}

#[test]
fn every_earlier_version_is_brought_up_and_keeps_what_it_had() {
    // What a store of each version held when it was current. A new step adds its own.
    let learned = "INSERT INTO baselines VALUES (5, x'00', 'p', 'a', 'm', 'd', 0);";
    let calibrated = format!("{learned} INSERT INTO calibrations VALUES (5, x'00', NULL, NULL)");
    let judged = format!(
        "{calibrated}; INSERT INTO evidence VALUES (5, x'00', 'active', NULL, 0);
         INSERT INTO rulings VALUES (1, 5, 0, 'benign', 'me', 'why')"
    );
    let held = ["", learned, &calibrated, &judged];
    assert_eq!(held.len(), MIGRATIONS.len() + 1, "say what a store of the new version holds");
    let held = held.map(|text| text.replace("x'00'", &format!("x'{}'", "00".repeat(32))));
    for (steps, held) in held.iter().enumerate() {
        let place = Place::new();
        let mut connection = place.raw();
        if 0 < steps {
            migrate(&mut connection, &MIGRATIONS[..steps]).unwrap();
        }
        connection.execute_batch(held).unwrap();
        drop(connection);
        drop(place.store());
        let connection = place.reopened();
        let ask = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        assert_eq!((ask("user_version"), ask("application_id")), (Ok(VERSION), Ok(APPLICATION)));
        let count = connection.query_row("SELECT count(*) FROM baselines", [], |row| row.get(0));
        assert_eq!(count, Ok(i64::from(!held.is_empty())));
    }
}

#[test]
fn a_further_step_is_a_file_taken_once_and_all_or_nothing() {
    let place = Place::new();
    drop(place.store());
    let mut connection = place.reopened();
    let with = |step| [MIGRATIONS[0], MIGRATIONS[1], MIGRATIONS[2], step];
    let good = with("CREATE TABLE more (number INTEGER); INSERT INTO more VALUES (1)");
    let bad = with("CREATE TABLE more (number INTEGER); INSERT INTO nowhere VALUES (1)");
    let version = |connection: &Connection| migrate::version(connection).unwrap();
    assert!(migrate(&mut connection, &bad).is_err());
    assert_eq!(version(&connection), VERSION);
    for _ in 0..2 {
        migrate(&mut connection, &good).unwrap();
        assert_eq!(version(&connection), VERSION + 1);
    }
    let count = connection.query_row("SELECT count(*) FROM more", [], |row| row.get(0));
    assert_eq!(count, Ok(1));
}

#[test]
fn a_published_step_is_not_edited() {
    let digests = MIGRATIONS.map(|step| crate::trace::to_hex(&Sha256::digest(step)));
    assert_eq!(
        digests.map(|digest| digest[..16].to_owned()),
        ["57839d45d1529da4", "6acdaff717b0db6e", "df4047f6b4ed97ae"]
    );
}

impl Place {
    /// As [`Place::raw`], for a file that is there.
    fn reopened(&self) -> Connection {
        Connection::open(self.file()).unwrap()
    }
}
