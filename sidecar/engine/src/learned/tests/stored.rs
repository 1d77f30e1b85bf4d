//! Evidence and certificates over restarts.

use alloc::vec::Vec;

use proptest::prelude::*;

use crate::Mode;
use crate::learned::testing::*;
use crate::learned::*;

const RUNGS: [u64; 2] = [14, 300];

fn rungs() -> Vec<Rung> {
    RUNGS.into_iter().map(contain_once_in).collect()
}

fn certificate() -> Certificate {
    Certificate::of(SUBJECT, Scale::LADDER[1], &noisy_blocks(FORTNIGHT, 51))
}

#[test]
fn crash_loop_does_not_reset_evidence() {
    let certificate = certificate();
    let restart = |detector: &Detector| {
        let bytes = detector.to_bytes();
        Detector::from_bytes(&bytes, certificate.clone(), &rungs(), Mode::Enforce).unwrap()
    };
    // Picket and sandbox restart in the middle of every block, and the attack is contained at the same one.
    let mut steady = Detector::new(certificate.clone(), &rungs(), Mode::Enforce);
    let mut restarted = steady.clone();
    let waited = (1..DAY).find(|place| {
        let block = strong(quiet(*place));
        let act = steady.observe(&block);
        restarted = restart(&restarted);
        assert_eq!(restarted.observe(&block), act);
        act.is_some()
    });
    assert!(waited.is_some());

    // A plugin that crashes in every block is always starting, a state of which little is known. That is
    // no hiding place: the crashes themselves are the evidence.
    let crash = |place| Block { starting: true, ..with(quiet(place), Lane::Lifecycle, 8) };
    let mut crashing = Detector::new(certificate.clone(), &rungs(), Mode::Enforce);
    let waited = (1..DAY).find(|place| {
        crashing = restart(&crashing);
        crashing.observe(&strong(crash(*place))).is_some()
    });
    let blocks = waited.unwrap().div_ceil(usize::from(certificate.scale().blocks()));
    assert!(blocks <= 20, "{blocks}");
}

#[test]
fn what_is_stored_comes_back_as_it_was() {
    let certificate = certificate();
    let mut detector = Detector::new(certificate.clone(), &rungs(), Mode::Shadow);
    for place in 1..1_000 {
        let block = if place % 7 == 0 { strong(quiet(place)) } else { quiet(place) };
        let _act = detector.observe(&block);
        let again =
            Detector::from_bytes(&detector.to_bytes(), certificate.clone(), &rungs(), Mode::Shadow);
        assert_eq!(again.as_ref(), Ok(&detector));
    }
    assert_eq!(Certificate::from_bytes(&certificate.to_bytes()), Ok(certificate));
}

#[test]
fn evidence_of_another_certificate_or_under_other_rungs_is_refused() {
    let bytes = Detector::new(certificate(), &rungs(), Mode::Shadow).to_bytes();
    let read = |certificate, rungs: &[Rung]| {
        Detector::from_bytes(&bytes, certificate, rungs, Mode::Shadow).unwrap_err()
    };
    let later = Certificate::of(SUBJECT, Scale::LADDER[1], &noisy_blocks(FORTNIGHT, 52));
    assert_eq!(read(later, &rungs()), BytesError::OtherCertificate);
    let elsewhere =
        Certificate::of(Subject([8; 32]), Scale::LADDER[1], &noisy_blocks(FORTNIGHT, 51));
    assert_eq!(read(elsewhere, &rungs()), BytesError::OtherCertificate);
    assert_eq!(read(certificate(), &rungs()[..1]), BytesError::OtherRungs);
    assert_eq!(
        read(certificate(), &[contain_once_in(14), contain_once_in(301)]),
        BytesError::OtherRungs
    );
}

#[test]
fn every_shortened_or_changed_record_is_refused() {
    let certificate = certificate();
    let bytes = Detector::new(certificate.clone(), &rungs(), Mode::Shadow).to_bytes();
    let read = |bytes: &[u8]| {
        Detector::from_bytes(bytes, certificate.clone(), &rungs(), Mode::Shadow).is_ok()
    };
    assert!(read(&bytes));
    for cut in 0..bytes.len() {
        assert!(!read(&bytes[..cut]), "cut at {cut}");
        let mut changed = bytes.clone();
        changed[cut] ^= 0x10;
        assert!(!read(&changed), "changed at {cut}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(bytes: Vec<u8>) {
        prop_assert!(Certificate::from_bytes(&bytes).is_err());
    }

    #[test]
    fn no_sealed_bytes_make_reading_panic(body: Vec<u8>, version in 0_u16..3) {
        let mut out = super::super::bytes::Writer::new(*b"PKcf");
        out.u16(version);
        out.bytes(&body);
        prop_assert!(Certificate::from_bytes(&out.sealed()).is_err());
    }
}
