//! Prototypes of made-up functions.

use super::super::tests::{ARRAY, CONST, FUNC, FWD, Kernel, PTR, TYPEDEF};

#[test]
fn prototypes_read_as_c_declares_them() {
    let mut kernel = Kernel::with_int();
    let mut refer = |kind, name, to| kernel.refer(kind, name, to);
    let const_int = refer(CONST, "", 1);
    let pointer_to_const = refer(PTR, "", const_int);
    let const_pointer = refer(CONST, "", pointer_to_const);
    let pointer_to_pointer = refer(PTR, "", const_pointer);
    let void_pointer = refer(PTR, "", 0);
    let file = refer(FWD, "file", 0);
    let file_pointer = refer(PTR, "", file);
    let array = kernel.add(ARRAY, "", 0, 0, &[1, 1, 16]);
    let array_pointer = kernel.refer(PTR, "", array);
    let callback = kernel.function(&[file_pointer]);
    let callback_pointer = kernel.refer(PTR, "", callback);

    let mut check = |parameters: &[u32], expected: &str| {
        let function = kernel.function(parameters);
        let name = format!("f{function}");
        kernel.refer(FUNC, &name, function);
        assert_eq!(kernel.btf().function_prototype(&name).unwrap(), expected);
    };
    check(&[], "(void)");
    check(&[1, file_pointer], "(int, struct file *)");
    check(&[pointer_to_pointer], "(const int *const *)");
    check(&[void_pointer, 0], "(void *, ...)");
    check(&[array_pointer], "(int (*)[16])");
    check(&[callback_pointer, 1], "(void (*)(struct file *), int)");
}

#[test]
fn a_tracepoint_and_a_function_of_one_name_are_told_apart() {
    let mut kernel = Kernel::with_int();
    let function = kernel.function(&[1]);
    kernel.refer(FUNC, "cgroup_mkdir", function);
    let data = kernel.refer(PTR, "", 0);
    let callback = kernel.function(&[data, 1, data]);
    let pointer = kernel.refer(PTR, "", callback);
    kernel.refer(TYPEDEF, "btf_trace_cgroup_mkdir", pointer);

    let btf = kernel.btf();
    assert_eq!(btf.function_prototype("cgroup_mkdir").unwrap(), "(int)");
    assert_eq!(btf.tracepoint_prototype("cgroup_mkdir").unwrap(), "(int, void *)");
    let absent = btf.tracepoint_prototype("sys_enter").unwrap_err();
    assert_eq!(absent.to_string(), "this kernel has no tracepoint sys_enter");
}
