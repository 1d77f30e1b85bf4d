//! Small made-up kernels. The real ones are compared with another reader in `tests/kernel`.

use proptest::prelude::*;

use super::{Btf, BtfError};

const INT: u32 = 1;
pub(super) const PTR: u32 = 2;
pub(super) const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
pub(super) const FWD: u32 = 7;
pub(super) const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
pub(super) const CONST: u32 = 10;
const RESTRICT: u32 = 11;
pub(super) const FUNC: u32 = 12;
const FUNC_PROTO: u32 = 13;
const TYPE_TAG: u32 = 18;

/// Set in a kind: the members of this struct carry bitfield sizes.
const SIZED_MEMBERS: u32 = 1 << 7;

/// The types of a kernel that does not exist, in the order they are added.
pub(super) struct Kernel {
    types: Vec<u8>,
    names: Vec<u8>,
    last_id: u32,
}

impl Kernel {
    fn new() -> Self {
        Self { types: Vec::new(), names: vec![0], last_id: 0 }
    }

    /// A kernel whose type 1 is a four-byte `int`.
    pub(super) fn with_int() -> Self {
        let mut kernel = Self::new();
        kernel.int("int", 4, 32);
        kernel
    }

    fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let at = u32::try_from(self.names.len()).unwrap();
        self.names.extend_from_slice(name.as_bytes());
        self.names.push(0);
        at
    }

    pub(super) fn add(
        &mut self,
        kind: u32,
        name: &str,
        size_or_type: u32,
        len: usize,
        more: &[u32],
    ) -> u32 {
        let name = self.name(name);
        let info = kind << 24 | u32::try_from(len).unwrap();
        for word in [name, info, size_or_type].iter().chain(more) {
            self.types.extend_from_slice(&word.to_le_bytes());
        }
        self.last_id += 1;
        self.last_id
    }

    fn int(&mut self, name: &str, bytes: u32, bits: u32) -> u32 {
        self.add(INT, name, bytes, 0, &[bits])
    }

    pub(super) fn refer(&mut self, kind: u32, name: &str, to: u32) -> u32 {
        self.add(kind, name, to, 0, &[])
    }

    /// A struct or union; each member is a name, a type and a place in bits.
    fn composite(&mut self, kind: u32, name: &str, members: &[(&str, u32, u32)]) -> u32 {
        let mut more = Vec::new();
        for &(name, type_id, place) in members {
            more.extend([self.name(name), type_id, place]);
        }
        self.add(kind, name, 64, members.len(), &more)
    }

    pub(super) fn function(&mut self, parameters: &[u32]) -> u32 {
        let more: Vec<u32> = parameters.iter().flat_map(|&type_id| [0, type_id]).collect();
        self.add(FUNC_PROTO, "", 0, parameters.len(), &more)
    }

    fn bytes(&self) -> Vec<u8> {
        let [types, names] =
            [&self.types, &self.names].map(|part| u32::try_from(part.len()).unwrap());
        let mut bytes = vec![0x9f, 0xeb, 1, 0];
        for word in [24, 0, types, types, names] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        [bytes.as_slice(), &self.types, &self.names].concat()
    }

    pub(super) fn btf(&self) -> Btf {
        Btf::parse(self.bytes()).unwrap()
    }
}

fn offset(kernel: &Kernel, path: &str) -> Result<u32, String> {
    let answer = kernel.btf().offset("s", path);
    answer.map(super::Offset::bytes).map_err(|error| error.to_string())
}

#[test]
fn a_member_is_found_where_its_struct_puts_it() {
    let mut kernel = Kernel::with_int();
    kernel.composite(STRUCT, "s", &[("a", 1, 0), ("b", 1, 32)]);
    assert_eq!(offset(&kernel, "b"), Ok(4));
}

#[test]
fn members_of_anonymous_structs_and_unions_belong_to_what_encloses_them() {
    let mut kernel = Kernel::with_int();
    let inner = kernel.composite(STRUCT, "", &[("hash", 1, 0), ("len", 1, 32)]);
    let outer = kernel.composite(UNION, "", &[("hash_len", 1, 0), ("", inner, 64)]);
    kernel.composite(STRUCT, "s", &[("", outer, 128)]);
    assert_eq!(offset(&kernel, "len"), Ok(16 + 8 + 4));
}

#[test]
fn a_path_goes_through_typedefs_and_qualifiers() {
    let mut kernel = Kernel::with_int();
    let mut inner = kernel.composite(STRUCT, "", &[("counter", 1, 32)]);
    for (kind, name) in
        [(TYPEDEF, "atomic_t"), (CONST, ""), (VOLATILE, ""), (RESTRICT, ""), (TYPE_TAG, "user")]
    {
        inner = kernel.refer(kind, name, inner);
    }
    kernel.composite(STRUCT, "s", &[("live", inner, 64)]);
    assert_eq!(offset(&kernel, "live.counter"), Ok(12));
}

#[test]
fn a_path_does_not_follow_pointers() {
    let mut kernel = Kernel::with_int();
    let pointee = kernel.composite(STRUCT, "t", &[("a", 1, 0)]);
    let pointer = kernel.refer(PTR, "", pointee);
    kernel.composite(STRUCT, "s", &[("next", pointer, 0)]);
    assert_eq!(
        offset(&kernel, "next.a"),
        Err("struct s: next.a goes through something that is not embedded in the struct".into())
    );
}

#[test]
fn bitfields_are_refused_in_either_encoding_and_ordinary_members_beside_them_are_not() {
    let mut kernel = Kernel::with_int();
    let narrow = kernel.int("unsigned int", 4, 3);
    let old = [("flags", narrow, 0), ("inside", 1, 12), ("whole", 1, 32)];
    kernel.composite(STRUCT, "old", &old);
    let new = [("flags", 1, 3 << 24), ("inside", 1, 12), ("whole", 1, 32)];
    kernel.composite(STRUCT | SIZED_MEMBERS, "new", &new);

    let btf = kernel.btf();
    for strct in ["old", "new"] {
        for path in ["flags", "inside"] {
            let answer = btf.offset(strct, path);
            assert!(matches!(answer, Err(BtfError::Bitfield { .. })), "{strct}.{path}: {answer:?}");
        }
        assert_eq!(btf.offset(strct, "whole").unwrap().bytes(), 4);
    }
}

#[test]
fn only_a_missing_member_is_optional() {
    let mut kernel = Kernel::with_int();
    kernel.composite(STRUCT | SIZED_MEMBERS, "s", &[("flag", 1, 1 << 24)]);
    let btf = kernel.btf();
    assert_eq!(btf.offset_optional("s", "sessionid").unwrap(), None);
    assert_eq!(btf.offset_optional("s", "sessionid.value").unwrap(), None);
    btf.offset_optional("t", "sessionid").unwrap_err();
    btf.offset_optional("s", "flag").unwrap_err();
}

#[test]
fn what_is_missing_is_named() {
    let mut kernel = Kernel::with_int();
    kernel.composite(STRUCT, "s", &[("a", 1, 0)]);
    let btf = kernel.btf();
    assert_eq!(offset(&kernel, "b.c"), Err("this kernel's struct s has no member b.c".into()));
    let absent = btf.offset("t", "a").unwrap_err();
    assert_eq!(absent.to_string(), "this kernel has no struct t");
}

#[test]
fn two_structs_of_one_name_answer_only_where_they_agree() {
    let mut kernel = Kernel::with_int();
    kernel.composite(STRUCT, "s", &[("same", 1, 0), ("moved", 1, 32), ("one_only", 1, 64)]);
    kernel.composite(STRUCT, "s", &[("same", 1, 0), ("moved", 1, 64)]);
    assert_eq!(offset(&kernel, "same"), Ok(0));
    for path in ["moved", "one_only"] {
        let ambiguous = "this kernel has several kinds of struct s, and they differ";
        assert_eq!(offset(&kernel, path), Err(ambiguous.into()));
    }
}

#[test]
fn a_declared_struct_is_not_a_defined_one() {
    let mut kernel = Kernel::with_int();
    kernel.refer(FWD, "declared", 0);
    kernel.composite(STRUCT, "defined", &[]);
    let btf = kernel.btf();
    assert!(btf.has_struct("defined"));
    assert!(!btf.has_struct("declared"));
    assert!(!btf.has_struct("define"), "a name is not its beginning");
    assert_eq!(btf.size_of("defined").unwrap(), 64);
    btf.size_of("declared").unwrap_err();
}

#[test]
fn types_that_contain_themselves_are_an_answer_or_an_error_but_never_a_loop() {
    let mut kernel = Kernel::with_int();
    let (itself, function, pointer) = (2, 4, 5);
    kernel.composite(STRUCT, "s", &[("", itself, 8), ("", itself, 16), ("t", 3, 0)]);
    kernel.refer(TYPEDEF, "t", 3);
    kernel.function(&[pointer, pointer]);
    kernel.refer(PTR, "", function);
    kernel.refer(FUNC, "f", function);

    assert_eq!(offset(&kernel, "b"), Err("this kernel's struct s has no member b".into()));
    let looping = "kernel type information is damaged: a type is defined by itself";
    assert_eq!(offset(&kernel, "t"), Err(looping.into()));
    let btf = kernel.btf();
    assert!(matches!(btf.function_prototype("f"), Err(BtfError::Damaged { .. })));
}

#[test]
fn a_later_header_with_more_fields_is_read() {
    let mut kernel = Kernel::with_int();
    kernel.composite(STRUCT, "s", &[("a", 1, 64)]);
    let mut bytes = kernel.bytes();
    bytes.splice(24..24, [0xff; 8]);
    bytes[4] += 8;
    assert_eq!(Btf::parse(bytes).unwrap().offset("s", "a").unwrap().bytes(), 8);
}

#[test]
fn files_that_this_reader_would_misread_are_refused_and_say_why() {
    fn refusal(change: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut bytes = Kernel::with_int().bytes();
        change(&mut bytes);
        Btf::parse(bytes).unwrap_err().to_string()
    }
    let damaged = |what: &str| format!("kernel type information is damaged: {what}");

    let big_endian =
        "big-endian kernel type information: Picket runs on little-endian machines only";
    assert_eq!(refusal(|bytes| bytes.swap(0, 1)), big_endian);
    let text = "not kernel type information: it begins with 0x4c7f where BTF has 0xeb9f";
    assert_eq!(refusal(|bytes| bytes.splice(..2, *b"\x7fL").for_each(drop)), text);
    let version = "kernel type information has version 2, this Picket reads version 1";
    assert_eq!(refusal(|bytes| bytes[2] = 2), version);
    let kind = "type 1 is of kind 20, which this Picket does not know: a newer one may";
    assert_eq!(refusal(|bytes| bytes[24 + 7] = 20), kind);
    assert_eq!(refusal(|bytes| bytes[24 + 6] = 1), damaged("a type has spare bits set"));
    assert_eq!(refusal(|bytes| bytes.truncate(20)), damaged("it ends inside its header"));
    assert_eq!(
        refusal(|bytes| bytes.truncate(24 + 12)),
        damaged("a section reaches beyond its end")
    );
    assert_eq!(refusal(|bytes| bytes[12] -= 4), damaged("it ends inside a type"));
    assert_eq!(refusal(|bytes| bytes[12] -= 1), damaged("its types end inside a word"));
}

/// One type of each kind, with loops only where C allows them.
fn every_kind() -> Kernel {
    let mut kernel = Kernel::with_int();
    let pointer = kernel.refer(PTR, "", 1);
    let array = kernel.add(ARRAY, "", 0, 0, &[pointer, 1, 4]);
    let union = kernel.composite(UNION, "", &[("c", array, 0), ("d", 1, 0)]);
    let tagged = [("a", 1, 0), ("", union, 64), ("flag", 1, (1 << 24) | 320)];
    let strct = kernel.composite(STRUCT | SIZED_MEMBERS, "s", &tagged);
    kernel.composite(STRUCT, "s", &[("a", 1, 0), ("s", strct, 64), ("p", pointer, 0)]);
    kernel.add(6, "e", 4, 1, &[0, 7]);
    kernel.refer(FWD, "fwd", 0);
    let function = kernel.function(&[pointer, strct, array, 0]);
    kernel.refer(FUNC, "f", function);
    let callback = kernel.refer(PTR, "", function);
    kernel.refer(TYPEDEF, "btf_trace_f", callback);
    kernel.add(14, "var", 1, 0, &[1]);
    kernel.add(15, ".data", 8, 1, &[12, 0, 8]);
    kernel.add(16, "double", 8, 0, &[]);
    kernel.add(17, "kfunc", strct, 0, &[0]);
    kernel.add(19, "e64", 8, 1, &[0, 7, 7]);
    for kind in [VOLATILE, CONST, RESTRICT, TYPE_TAG] {
        kernel.refer(kind, "", callback);
    }
    kernel
}

/// Asks everything there is to ask. What comes back does not matter, only that it comes.
fn interrogate(bytes: Vec<u8>) {
    let Ok(btf) = Btf::parse(bytes) else { return };
    for path in ["a", "d", "s.d", "s.c", "flag", "p.a", "missing", "", "."] {
        drop(btf.offset("s", path));
        drop(btf.offset_optional("", path));
    }
    drop(btf.size_of("s"));
    drop(btf.function_prototype("f"));
    drop(btf.tracepoint_prototype("f"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
        interrogate(bytes);
    }

    #[test]
    fn no_types_behind_a_sound_header_make_the_reader_panic(
        types in proptest::collection::vec((0..20_u32, 0..8_u32, 0..4_usize), 0..40),
        names in "[sf\\x00]{0,8}",
        spare: [u32; 12],
    ) {
        let mut kernel = Kernel::new();
        kernel.names.extend_from_slice(names.as_bytes());
        for (kind, refers_to, len) in types {
            kernel.add(kind, "s", refers_to, len, &spare.map(|word| word % 16)[..len * 3]);
        }
        interrogate(kernel.bytes());
    }

    #[test]
    fn no_change_to_a_sound_file_makes_the_reader_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = every_kind().bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        interrogate(bytes);
    }
}

#[test]
fn a_kernel_of_every_kind_answers_so_that_changing_it_means_something() {
    let btf = every_kind().btf();
    assert_eq!(btf.offset("s", "a").unwrap().bytes(), 0);
    assert!(matches!(btf.offset("s", "d"), Err(BtfError::Ambiguous { .. })));
    assert_eq!(btf.function_prototype("f").unwrap(), "(int *, struct s, int *[4], ...)");
}
