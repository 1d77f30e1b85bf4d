use super::toolchain::Toolchain;
use super::*;

fn record() -> Record {
    Record {
        object: "aa".repeat(32),
        sources: "bb".repeat(32),
        toolchain: Toolchain {
            compiler: "1.96.0+dfsg1-1~deb12u2".to_owned(),
            core: "1.96.0+dfsg1-1~deb12u2".to_owned(),
            llvm: "1:22.1.8-1~deb12u1".to_owned(),
            linker: "0.13.0".to_owned(),
        },
    }
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    assert_eq!(Record::parse(&record().to_string()), Ok(record()));
}

#[test]
fn a_record_without_an_entry_names_it() {
    let text = record().to_string().replace("bpf-linker", "linker");
    assert_eq!(Record::parse(&text), Err("bpf-linker"));
}

#[test]
fn the_committed_object_belongs_to_the_committed_sources() {
    if let Err(failure) = is_fresh() {
        panic!("{failure}");
    }
}

#[test]
fn renaming_a_source_changes_the_digest_even_if_no_byte_of_it_changes() {
    let place = places::scratch("digest-test").expect("target directory is writable");
    let digest_with = |name: &str| {
        let ebpf = place.join(name);
        for directory in ["src", "abi/src"] {
            fs::create_dir_all(ebpf.join(directory)).unwrap();
        }
        for file in ["Cargo.toml", "Cargo.lock", "abi/Cargo.toml", "abi/src/lib.rs"] {
            fs::write(ebpf.join(file), "same").unwrap();
        }
        fs::write(ebpf.join("src").join(name), "same").unwrap();
        sources::digest(&ebpf).unwrap_or_else(|failure| panic!("{failure}"))
    };
    let (one, other) = (digest_with("one.rs"), digest_with("other.rs"));
    assert_ne!(one, other);
    assert_eq!(one, digest_with("one.rs"));
    fs::remove_dir_all(place).unwrap();
}
