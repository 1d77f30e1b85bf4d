//! The offsets that the probes are loaded with are those that another reader finds.
//!
//! `bpftool` prints every type of the running kernel. The walk over its text below is written apart
//! from Picket's and shares no code with it, so that both agree only where both are right.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use picket::probe::btf::{Btf, BtfError, KERNEL_BTF};
use picket::probe::offsets::FIELDS;

#[test]
fn every_offset_that_picket_uses_is_the_one_that_bpftool_finds() {
    let theirs = Dump::of_the_running_kernel();
    let ours = Btf::from_kernel().unwrap();

    let mut n_found = 0;
    for (_, strct, path) in FIELDS {
        let ours = ours.offset_optional(strct, path).unwrap().map(|offset| offset.bytes());
        assert_eq!(ours, theirs.offset(strct, path), "struct {strct}: {path}");
        n_found += usize::from(ours.is_some());
    }
    assert!(n_found > FIELDS.len() / 2, "only {n_found} of {} fields exist here", FIELDS.len());
}

#[test]
fn every_struct_has_the_size_that_bpftool_finds() {
    let theirs = Dump::of_the_running_kernel();
    let ours = Btf::from_kernel().unwrap();

    for (name, sizes) in &theirs.struct_sizes {
        match ours.size_of(name) {
            Ok(size) => assert!(sizes.iter().all(|&other| other == size), "struct {name}"),
            Err(BtfError::Ambiguous { .. }) => assert!(sizes.len() > 1, "struct {name}"),
            Err(error) => panic!("struct {name}: {error}"),
        }
    }
    assert!(theirs.struct_sizes.len() > 1000, "bpftool's text was not understood");
}

#[test]
fn a_damaged_copy_of_the_running_kernels_types_is_an_answer_or_an_error() {
    let sound = fs::read(KERNEL_BTF).unwrap();
    let mut random = 0x5eed_u64;
    let mut below = |bound: usize| {
        // Knuth's MMIX generator: the same damage on every run of one kernel.
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % bound
    };
    let mut n_still_readable = 0;
    for round in 0..100 {
        let mut bytes = sound.clone();
        for _ in 0..=round {
            let at = below(bytes.len());
            bytes[at] ^= 1 << below(8);
        }
        if round % 4 == 0 {
            bytes.truncate(below(sound.len()));
        }
        let Ok(btf) = Btf::parse(bytes) else { continue };
        n_still_readable += 1;
        for (_, strct, path) in FIELDS {
            drop(btf.offset(strct, path));
        }
        drop(btf.tracepoint_prototype("sched_process_exec"));
    }
    assert!(n_still_readable > 0, "every damage was found at once, so nothing was asked");
}

/// The kernel's types as `bpftool btf dump … format raw` prints them.
struct Dump {
    types: HashMap<u32, Type>,
    struct_sizes: HashMap<String, Vec<u32>>,
}

struct Type {
    kind: String,
    name: String,
    refers_to: u32,
    members: Vec<Member>,
}

struct Member {
    name: String,
    type_id: u32,
    bits: u32,
    is_bitfield: bool,
}

impl Dump {
    fn of_the_running_kernel() -> Self {
        let bpftool = bpftool();
        let output = Command::new(&bpftool)
            .args(["btf", "dump", "file", KERNEL_BTF, "format", "raw"])
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", bpftool.display()));
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {complaint}", bpftool.display());
        Self::parse(&String::from_utf8(output.stdout).unwrap())
    }

    /// Types are lines such as `[114] STRUCT 'task_struct' size=3264 vlen=248`, their members the
    /// indented lines below, such as `'tgid' type_id=90 bits_offset=10144`.
    fn parse(text: &str) -> Self {
        let mut dump = Self { types: HashMap::new(), struct_sizes: HashMap::new() };
        let mut id = 0;
        for line in text.lines() {
            if let Some(line) = line.strip_prefix('[') {
                let (number, line) = line.split_once("] ").unwrap();
                let (kind, line) = line.split_once(' ').unwrap();
                let (name, numbers) = quoted(line);
                id = number.parse().unwrap();
                if kind == "STRUCT" && name != "(anon)" {
                    let size = value(numbers, "size=").unwrap();
                    dump.struct_sizes.entry(name.to_owned()).or_default().push(size);
                }
                let (kind, name) = (kind.to_owned(), name.to_owned());
                let refers_to = value(numbers, "type_id=").unwrap_or(0);
                dump.types.insert(id, Type { kind, name, refers_to, members: Vec::new() });
            } else if let Some(bits) = value(line, "bits_offset=") {
                let (name, numbers) = quoted(line.trim_start());
                dump.types.get_mut(&id).unwrap().members.push(Member {
                    name: name.to_owned(),
                    type_id: value(numbers, "type_id=").unwrap(),
                    bits,
                    is_bitfield: value(numbers, "bitfield_size=").is_some(),
                });
            }
        }
        dump
    }

    fn offset(&self, strct: &str, path: &str) -> Option<u32> {
        let named = |ty: &&Type| ty.kind == "STRUCT" && ty.name == strct;
        let mut answers: Vec<_> =
            self.types.values().filter(named).map(|ty| self.bits(ty, path)).collect();
        answers.dedup();
        assert_eq!(answers.len(), 1, "struct {strct}: {path} has no single answer");
        answers[0].map(|bits| {
            assert_eq!(bits % 8, 0, "struct {strct}: {path}");
            bits / 8
        })
    }

    fn bits(&self, holder: &Type, path: &str) -> Option<u32> {
        let (name, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
        holder.members.iter().find_map(|member| {
            let below = if member.name == "(anon)" {
                self.bits(self.behind(member.type_id)?, path)?
            } else if member.name != name {
                return None;
            } else if let Some(rest) = rest {
                self.bits(self.behind(member.type_id)?, rest)?
            } else {
                assert!(!member.is_bitfield, "{path} is a bitfield");
                0
            };
            Some(member.bits + below)
        })
    }

    fn behind(&self, id: u32) -> Option<&Type> {
        let ty = self.types.get(&id)?;
        match ty.kind.as_str() {
            "TYPEDEF" | "CONST" | "VOLATILE" | "RESTRICT" | "TYPE_TAG" => self.behind(ty.refers_to),
            _ => Some(ty),
        }
    }
}

/// Splits `'name' key=value …`. Names hold no quotes: they are C identifiers.
fn quoted(text: &str) -> (&str, &str) {
    text.strip_prefix('\'').and_then(|text| text.split_once('\'')).unwrap_or_else(|| {
        panic!("bpftool printed {text:?} where a name in quotes was expected");
    })
}

fn value(text: &str, key: &str) -> Option<u32> {
    text.split_whitespace().find_map(|word| word.strip_prefix(key)?.parse().ok())
}

/// Debian keeps it in a directory that is on root's PATH only.
pub(crate) fn bpftool() -> PathBuf {
    if let Some(path) = env::var_os("BPFTOOL") {
        return path.into();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|directory| directory.join("bpftool"))
        .find(|candidate| candidate.is_file())
        .expect("this test needs bpftool: apt install bpftool, or name it in BPFTOOL")
}
