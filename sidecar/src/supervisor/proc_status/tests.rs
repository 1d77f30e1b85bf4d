use super::*;

const STATUS: &str = "\
Name:\tpicket-launch\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t13\nNgid:\t0\nPid:\t13
PPid:\t7\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t5\t5\t5\t5\nFDSize:\t512\nThreads:\t1
SigQ:\t0/96365\nSigPnd:\t0000000000000000\nShdPnd:\t0000000000000000
SigBlk:\t0000000000000000\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000000
CapInh:\t0000000000000000\nCapPrm:\t0000000000000400\nCapEff:\t0000000000000400
CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t0
";

#[test]
fn status_is_read_line_by_line() {
    let status = Status::parse(STATUS.as_bytes()).unwrap();
    assert_eq!((status.parent, status.tracer, status.threads), (7, 0, 1));
    assert_eq!(status.gids, "5\t5\t5\t5");
    assert!(status.no_new_privileges);
    assert_eq!(status.capabilities[1], ("CapPrm", CapabilitySet::from_bits(1 << 10)));
    assert_eq!(status.signals[1], ("SigIgn", "1000".to_owned()));
    assert_eq!(status.signals[0].1, "");
}

#[test]
fn a_missing_line_is_never_read_as_harmless() {
    for line in ["PPid", "TracerPid", "Threads", "Uid", "Gid", "CapBnd", "NoNewPrivs", "SigCgt"] {
        let text = STATUS.replace(&format!("{line}:"), "Other:");
        assert_eq!(Status::parse(text.as_bytes()), None, "{line}");
    }
}

#[test]
fn a_name_with_parentheses_and_blanks_does_not_shift_the_fields_of_stat() {
    let fields = "S 1 2 3 0 -1 4194368 0 0 0 0 0 0 0 0 20 0 1 0 7711 0 0";
    for name in ["sh", "a b", ") S 1 2 (", "))"] {
        let stat = Stat::parse(format!("42 ({name}) {fields}\n").as_bytes()).unwrap();
        assert_eq!(stat, Stat { has_executed: false, start_ticks: 7711 }, "{name:?}");
    }
    let executed = fields.replace("4194368", "4194304");
    assert!(Stat::parse(format!("42 (sh) {executed}\n").as_bytes()).unwrap().has_executed);
}

#[test]
fn a_short_stat_is_refused() {
    for text in ["", "42 (sh)", "42 (sh) S 1 2 3", "no name"] {
        assert_eq!(Stat::parse(text.as_bytes()), None, "{text:?}");
    }
}
