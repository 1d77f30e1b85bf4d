use super::*;

#[test]
fn names_stand_at_the_kernels_numbers() {
    for (name, number) in [
        ("CAP_CHOWN", 0),
        ("CAP_SETPCAP", 8),
        ("CAP_NET_BIND_SERVICE", 10),
        ("CAP_SYS_PTRACE", 19),
        ("CAP_SYS_ADMIN", 21),
        ("CAP_SETFCAP", 31),
        ("CAP_BPF", 39),
        ("CAP_CHECKPOINT_RESTORE", 40),
    ] {
        assert_eq!(CapabilitySet::EMPTY.with(name).unwrap().bits(), 1 << number, "{name}");
    }
}

#[test]
fn an_unknown_name_is_no_capability() {
    for name in ["", "CAP_", "cap_chown", "NET_ADMIN", "CAP_CHOWN "] {
        assert_eq!(CapabilitySet::EMPTY.with(name), None, "{name:?}");
    }
}

#[test]
fn a_set_names_what_is_in_it() {
    assert_eq!(CapabilitySet::EMPTY.to_string(), "none");
    let two = CapabilitySet::EMPTY.with("CAP_NET_RAW").unwrap().with("CAP_CHOWN").unwrap();
    assert_eq!(two.to_string(), "CAP_CHOWN, CAP_NET_RAW");
    assert_eq!(CapabilitySet::from_bits(1 << 63).to_string(), "capability 63");
}

#[test]
fn the_digits_of_proc_status_are_read() {
    assert_eq!(CapabilitySet::from_status("0000000000000400\n").unwrap().bits(), 1 << 10);
    assert_eq!(CapabilitySet::from_status("x"), None);
}
