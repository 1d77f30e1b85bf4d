//! Calibrations in the store.

use picket_engine::baseline::frozen_at;
use picket_engine::learned::{Certificate, certify};

use super::*;
use crate::baseline::testing::{DAY, id, known_for_a_fortnight, mark, run_at};

/// A store with a plugin that is known, and certified over so many days.
fn certified(days: u16) -> (Place, Calibration) {
    let place = Place::new();
    let weather = identity("weather");
    let mut store = place.store();
    store.change(&weather, |known| known.join(&known_for_a_fortnight()).unwrap()).unwrap();
    let calibration = store
        .calibrate(&weather, false, |baseline, known| {
            let mut calibration = Calibration::new(baseline);
            let end = frozen_at(baseline);
            for half in 0..days * 2 {
                let began = end + u64::from(half) * DAY / 2;
                let mark = mark(began, u32::from(half % 5));
                calibration.take(baseline, id(500 + half), &run_at(began), mark);
            }
            // What is missing is not what these tests ask.
            drop(calibration.certify(weather.subject(), baseline, 7));
            *known = Some(calibration.clone());
            calibration
        })
        .unwrap();
    (place, calibration)
}

#[test]
fn a_calibration_comes_back_as_it_was_with_and_without_its_certificate() {
    for days in [0, 3, 29] {
        let (place, calibration) = certified(days);
        assert_eq!(calibration.certified().is_some(), days == 29);
        let found = place.store().calibration(&identity("weather")).unwrap();
        assert_eq!(found, Some(calibration));
    }
    assert_eq!(Place::new().store().calibration(&identity("weather")).unwrap(), None);
}

#[test]
fn a_calibration_grows_and_is_replaced_as_a_whole_when_it_begins_anew() {
    let (place, before) = certified(3);
    let weather = identity("weather");
    let mut store = place.store();
    let grow = |anew| {
        move |baseline: &Baseline, known: &mut Option<Calibration>| {
            assert_eq!(known.is_none(), anew);
            let mut calibration = known.take().unwrap_or_else(|| Calibration::new(baseline));
            let began = frozen_at(baseline) + 50 * DAY;
            calibration.take(baseline, id(900), &run_at(began), mark(began, 3));
            *known = Some(calibration);
        }
    };
    store.calibrate(&weather, false, grow(false)).unwrap();
    let count = || place.store().calibration(&weather).unwrap().unwrap().marks().count();
    assert_eq!(count(), before.marks().count() + 1);
    store.calibrate(&weather, true, grow(true)).unwrap();
    assert_eq!(count(), 1);
    // What comes to nothing changes nothing, also when it would have begun anew.
    store.calibrate(&weather, true, |_, _| ()).unwrap();
    assert_eq!(count(), 1);
}

#[test]
fn learning_leaves_a_calibration_where_it_is_and_it_is_stale() {
    let (place, calibration) = certified(29);
    let weather = identity("weather");
    let (_, now) =
        place.store().change(&weather, |known| known.learn(id(40), &run_at(DAY))).unwrap();
    let found = place.store().calibration(&weather).unwrap().unwrap();
    assert!(found == calibration && found.is_stale(&now));
}

#[test]
fn a_calibration_that_no_picket_wrote_is_refused_and_can_be_begun_anew() {
    let elsewhere = {
        let other = identity("mail").subject();
        let (_, calibration) = certified(29);
        let baseline = known_for_a_fortnight();
        let cadence = picket_engine::baseline::cadence(&baseline);
        certify(other, cadence, &calibration.blocks(&baseline)).unwrap().to_bytes()
    };
    let hex = crate::trace::to_hex(&elsewhere);
    let foreign = format!("UPDATE calibrations SET certificate = x'{hex}'");
    for (change, complaint) in [
        (
            "UPDATE calibrations SET certificate = substr(certificate, 1, 99)",
            "its certificate cannot be read: damaged",
        ),
        (
            "UPDATE calibrations SET certificate = x''",
            "its certificate cannot be read: ends too early",
        ),
        (&*foreign, "of another plugin, build, manifest or deployment"),
        ("UPDATE calibrated_runs SET novelty = 70000", "an impossible novelty"),
        ("UPDATE calibrated_runs SET loss = -1", "an impossible loss"),
    ] {
        let (place, calibration) = certified(29);
        let weather = identity("weather");
        assert!(0 < place.reopened().execute(change, []).unwrap());
        let error = place.store().calibration(&weather).unwrap_err().to_string();
        assert!(error.contains(complaint), "{error}");
        assert!(error.contains("`picket baseline calibrate --anew`"), "{error}");
        // The baseline is whole.
        place.store().find("").unwrap();
        let again = calibration.clone();
        let anew = |_: &Baseline, known: &mut Option<Calibration>| *known = Some(again);
        place.store().calibrate(&weather, true, anew).unwrap();
        assert_eq!(place.store().calibration(&weather).unwrap(), Some(calibration));
    }
}

#[test]
fn a_certificate_of_a_later_picket_is_refused_by_its_version() {
    let (place, calibration) = certified(29);
    let mut bytes = calibration.certified().unwrap().certificate.to_bytes();
    // The version follows four letters; the check sum is that of the whole.
    bytes[4] = 9;
    let body = bytes.len() - 8;
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let seal = bytes[..body].iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    bytes[body..].copy_from_slice(&seal.to_le_bytes());
    let error = Certificate::from_bytes(&bytes).unwrap_err().to_string();
    let update = "UPDATE calibrations SET certificate = ?1";
    place.reopened().execute(update, [bytes]).unwrap();
    let told = place.store().calibration(&identity("weather")).unwrap_err().to_string();
    assert!(told.contains(&error) && error.contains("layout 9"), "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_bytes_in_the_place_of_a_certificate_pass_or_panic(bytes: Vec<u8>) {
        let (place, _) = certified(3);
        let update = "UPDATE calibrations SET certified = 1, certificate = ?1";
        place.reopened().execute(update, [bytes]).unwrap();
        prop_assert!(place.store().calibration(&identity("weather")).is_err());
    }
}
