//! What a hook is called with, as C would declare it.
//!
//! Each probe states the prototype it was written against in a `// kernel:` comment. Rendering the
//! running kernel's lets a test hold the two side by side.

#[cfg(test)]
mod tests;

use super::record::{Kind, Record};
use super::{Btf, BtfError, MAX_HOPS, unanimous};

/// Longer prototypes than this are taken for damage. Because every parameter adds to the text, this
/// also bounds the work.
const MAX_TEXT: usize = 4096;

/// How deep functions may take functions as parameters.
const MAX_DEPTH: usize = 8;

const ENDLESS: BtfError = BtfError::Damaged { what: "a prototype has no end" };

impl Btf {
    /// The parameter types of a kernel function, such as `bpf_lsm_file_open`: `(struct file *)`.
    pub fn function_prototype(&self, function: &str) -> Result<String, BtfError> {
        let answers = self
            .all_named(Kind::Func, function)
            .map(|func| self.parameters(func.size_or_type, 0, 0));
        unanimous("function", function, answers)
    }

    /// The parameter types a program on this tracepoint receives: `(struct pt_regs *, long int)`.
    pub fn tracepoint_prototype(&self, tracepoint: &str) -> Result<String, BtfError> {
        // The kernel describes a tracepoint by the type of its callbacks. Their first parameter is
        // the callback's own data and does not reach the program.
        let callback = format!("btf_trace_{tracepoint}");
        let answers = self.all_named(Kind::Typedef, &callback).map(|typedef| {
            match self.unqualified(typedef.size_or_type)? {
                Some(pointer) if pointer.kind == Kind::Ptr => {
                    self.parameters(pointer.size_or_type, 1, 0)
                }
                _ => Err(BtfError::Damaged { what: "a tracepoint's callback is not a pointer" }),
            }
        });
        unanimous("tracepoint", tracepoint, answers)
    }

    fn all_named(&self, kind: Kind, name: &str) -> impl Iterator<Item = Record<'_>> {
        (1..=u32::try_from(self.starts.len()).unwrap_or(u32::MAX))
            .filter_map(|id| self.record(id).ok()?)
            .filter(move |record| record.kind == kind && self.is_named(record.name, name))
    }

    fn parameters(&self, function: u32, skip: usize, depth: usize) -> Result<String, BtfError> {
        let record = match self.record(function)? {
            Some(record) if record.kind == Kind::FuncProto => record,
            _ => {
                return Err(BtfError::Damaged { what: "a function has no prototype" });
            }
        };
        let (parameters, _) = record.details.as_chunks();
        let mut text = String::from("(");
        for parameter in parameters.iter().skip(skip) {
            let [_, type_id] = parameter.map(u32::from_le_bytes);
            if text.len() > 1 {
                text.push_str(", ");
            }
            // A last parameter without a type stands for any number of them.
            match type_id {
                0 => text.push_str("..."),
                _ => text.push_str(&self.declaration(type_id, depth)?),
            }
            if text.len() > MAX_TEXT {
                return Err(ENDLESS);
            }
        }
        if text.len() == 1 {
            text.push_str("void");
        }
        text.push(')');
        Ok(text)
    }

    /// Writes a type as C does: from the inside out, around what is declared with it.
    fn declaration(&self, mut id: u32, depth: usize) -> Result<String, BtfError> {
        let mut declared = String::new();
        let mut qualifiers = String::new();
        for _ in 0..MAX_HOPS {
            let Some(record) = self.record(id)? else {
                return Ok(joined(&qualifiers, "void", &declared));
            };
            let mut inner = record.size_or_type;
            match record.kind {
                Kind::Const => qualifiers.push_str("const "),
                Kind::Volatile => qualifiers.push_str("volatile "),
                Kind::Restrict => qualifiers.push_str("restrict "),
                // Annotations such as `__user`: whether they are recorded depends on the compiler.
                Kind::TypeTag => {}
                Kind::Ptr => {
                    declared = format!("*{qualifiers}{declared}");
                    qualifiers.clear();
                }
                Kind::Array => {
                    let (element, length) = record.array().ok_or(ENDLESS)?;
                    declared = format!("{}[{length}]", grouped(&declared));
                    inner = element;
                }
                Kind::FuncProto if depth == MAX_DEPTH => return Err(ENDLESS),
                Kind::FuncProto => {
                    let parameters = self.parameters(id, 0, depth.saturating_add(1))?;
                    declared = format!("{}{parameters}", grouped(&declared));
                }
                _ => return Ok(joined(&qualifiers, &self.type_name(&record)?, &declared)),
            }
            if declared.len() > MAX_TEXT {
                return Err(ENDLESS);
            }
            id = inner;
        }
        Err(ENDLESS)
    }

    /// The name of a type that C refers to by name.
    fn type_name(&self, record: &Record<'_>) -> Result<String, BtfError> {
        let keyword = match record.kind {
            Kind::Int | Kind::Float | Kind::Typedef => "",
            Kind::Fwd if record.flag => "union ",
            Kind::Struct | Kind::Fwd => "struct ",
            Kind::Union => "union ",
            Kind::Enum | Kind::Enum64 => "enum ",
            _ => {
                return Err(BtfError::Damaged { what: "a parameter has no type" });
            }
        };
        let name = self.names_from(record.name).split(|&byte| byte == 0).next();
        match name.map(String::from_utf8_lossy) {
            Some(name) if !name.is_empty() => Ok(format!("{keyword}{name}")),
            _ => Ok(format!("{keyword}{{...}}")),
        }
    }
}

/// In C a function or array binds tighter than a pointer, so a pointer to one needs parentheses.
fn grouped(declared: &str) -> String {
    if declared.starts_with('*') {
        format!("({})", declared.trim_end())
    } else {
        declared.to_owned()
    }
}

fn joined(qualifiers: &str, name: &str, declared: &str) -> String {
    format!("{qualifiers}{name} {declared}").trim_end().to_owned()
}
