//! Changes the text of a manifest where its lists stand, and nowhere else: comments, order and spelling stay.
//!
//! The parser says where each list and each of its items begins and ends. A block list loses and gains whole lines. A
//! list in brackets is written anew: in brackets, or as lines where it would be too long.

use std::{collections::BTreeMap, ops::Range};

use granit_parser::{Event, Parser, Span, StructureStyle};

use super::{
    Comparison, Rule,
    merged::{self, Line},
};
use crate::document::Position;

/// The longest list in brackets, in bytes.
const LONGEST: usize = 100;

/// Why the text cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// It is spelled in a way that is not understood here.
    #[error(
        "the manifest is written in a way that cannot be changed in place ({what}); \
         `picket baseline diff` tells the lines to add and to remove"
    )]
    NotUnderstood {
        /// What was met.
        what: String,
    },
    /// What came out is none.
    #[error(
        "the manifest cannot be changed in place; `picket baseline diff` tells the lines to add and to remove. What came \
         out: {error}"
    )]
    NoManifest {
        /// The complaint.
        error: String,
    },
}

/// The text with what is undeclared, and without what is unused.
pub(super) fn patched(text: &str, comparison: &Comparison) -> Result<String, PatchError> {
    let mut edits: BTreeMap<Vec<String>, Edit> = BTreeMap::new();
    let list = |name: &str| name.split('.').map(str::to_owned).collect::<Vec<_>>();
    for rule in &comparison.unused {
        edits.entry(list(rule.list)).or_default().remove.push(rule.clone());
    }
    for (name, lines) in merged::lines(comparison) {
        edits.entry(list(name)).or_default().add = lines;
    }
    let root = tree(text)?;
    let mut patch = Patch { text, edits, changes: Vec::new() };
    patch.node(&root, &[], text.len());
    Ok(patch.apply())
}

/// What happens to a list.
#[derive(Debug, Default)]
struct Edit {
    remove: Vec<Rule>,
    add: Vec<Line>,
}

/// A value and where it stands, in bytes.
struct Node {
    range: Range<usize>,
    from: (usize, usize),
    to: (usize, usize),
    kind: Kind,
}

enum Kind {
    Scalar(String),
    List { flow: bool, items: Vec<Node> },
    Map { flow: bool, entries: Vec<(Node, Node)> },
}

fn tree(text: &str) -> Result<Node, PatchError> {
    let not = |what: &str| PatchError::NotUnderstood { what: what.to_owned() };
    let mut open: Vec<(Node, bool)> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| not(&error.to_string()))?;
        let mut done = match event {
            Event::Scalar(value, ..) => node(span, Kind::Scalar(value.into_owned())),
            Event::SequenceStart(style, ..) => {
                let flow = style == StructureStyle::Flow;
                open.push((node(span, Kind::List { flow, items: Vec::new() }), flow));
                continue;
            }
            Event::MappingStart(style, ..) => {
                let flow = style == StructureStyle::Flow;
                open.push((node(span, Kind::Map { flow, entries: Vec::new() }), flow));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (mut done, flow) =
                    open.pop().ok_or_else(|| not("an end without a beginning"))?;
                // The end of a block is told where the next thing begins; its own is that of its last part.
                let last = match &done.kind {
                    Kind::List { items, .. } if !flow => items.last(),
                    Kind::Map { entries, .. } if !flow => entries.last().map(|(_, value)| value),
                    _ => None,
                };
                let end = node(span, Kind::Scalar(String::new()));
                let last = last.unwrap_or(&end);
                (done.range.end, done.to) = (last.range.end, last.to);
                done
            }
            Event::Alias(..) => return Err(not("an alias")),
            _ => continue,
        };
        // A scalar in a block may be said to end behind its line.
        let written = text.get(done.range.clone()).unwrap_or_default();
        done.range.end -= written.len() - written.trim_end().len();
        match open.last_mut() {
            None => return Ok(done),
            Some((Node { kind: Kind::List { items, .. }, .. }, _)) => items.push(done),
            Some((Node { kind: Kind::Map { entries, .. }, .. }, _)) => match entries.last_mut() {
                Some((_, value)) if value.range.is_empty() && value.from == (0, 0) => *value = done,
                _ => entries.push((done, unset())),
            },
            Some(_) => return Err(not("a value inside of a value")),
        }
    }
    Err(not("no document"))
}

/// In the place of a value until it comes.
fn unset() -> Node {
    Node { range: 0..0, from: (0, 0), to: (0, 0), kind: Kind::Scalar(String::new()) }
}

fn node(span: Span, kind: Kind) -> Node {
    let range = span.byte_range().unwrap_or_default();
    let place = |marker: granit_parser::Marker| (marker.line(), marker.col() + 1);
    Node { range, from: place(span.start), to: place(span.end), kind }
}

impl Node {
    fn holds(&self, at: Position) -> bool {
        let wide = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let at = (wide(at.line()), wide(at.column()));
        self.from <= at && at < self.to.max((self.from.0, self.from.1 + 1))
    }

    const fn is_flow(&self) -> bool {
        matches!(self.kind, Kind::List { flow: true, .. } | Kind::Map { flow: true, .. })
    }
}

struct Patch<'a> {
    text: &'a str,
    edits: BTreeMap<Vec<String>, Edit>,
    changes: Vec<(Range<usize>, String)>,
}

impl Patch<'_> {
    /// Applies what was found to be changed, from the end to the beginning.
    fn apply(mut self) -> String {
        let mut text = self.text.to_owned();
        self.changes.sort_by_key(|(range, _)| (range.start, range.end));
        for (range, new) in self.changes.iter().rev() {
            text.replace_range(range.clone(), new);
        }
        text
    }

    /// Whether something below this place changes.
    fn changes_below(&self, path: &[String]) -> bool {
        self.edits.keys().any(|list| list.starts_with(path))
    }

    fn edit(&self, path: &[String]) -> Option<&Edit> {
        self.edits.get(path)
    }

    /// Whether nothing is left of a value.
    fn vanishes(&self, node: &Node, path: &[String]) -> bool {
        let added =
            self.edits.iter().any(|(list, edit)| list.starts_with(path) && !edit.add.is_empty());
        if added || !self.changes_below(path) {
            return false;
        }
        match &node.kind {
            Kind::Scalar(_) => self.removes(node, path),
            Kind::List { items, .. } => {
                !items.is_empty() && items.iter().all(|item| self.removes(item, path))
            }
            Kind::Map { entries, .. } => {
                !entries.is_empty()
                    && entries.iter().all(|(key, value)| self.vanishes(value, &below(path, key)))
            }
        }
    }

    fn removes(&self, item: &Node, path: &[String]) -> bool {
        let removed = self.edit(path).map(|edit| edit.remove.as_slice()).unwrap_or_default();
        removed.iter().any(|rule| item.holds(rule.at))
    }

    /// `end` is where new lines of a block go that has none of its own.
    fn node(&mut self, node: &Node, path: &[String], end: usize) {
        if !self.changes_below(path) {
            return;
        }
        if node.is_flow() {
            let new = self.flow(node, path);
            self.changes.push((node.range.clone(), new));
            return;
        }
        match &node.kind {
            Kind::Scalar(_) => {}
            Kind::List { items, .. } => self.block_list(items, path),
            Kind::Map { entries, .. } => self.block_map(entries, path, end),
        }
    }

    fn block_list(&mut self, items: &[Node], path: &[String]) {
        let (Some(first), Some(last)) = (items.first(), items.last()) else { return };
        let gone = items.iter().filter(|item| self.removes(item, path));
        let gone = gone.map(|item| (self.lines(&item.range), String::new()));
        let gone: Vec<_> = gone.collect();
        self.changes.extend(gone);
        let indent = self.indent(first.range.start);
        let at = self.line_end(last.range.end);
        let added = self.edit(path).map(|edit| edit.add.clone()).unwrap_or_default();
        self.insert(at, lines(&added, &indent));
    }

    fn block_map(&mut self, entries: &[(Node, Node)], path: &[String], end: usize) {
        for (key, value) in entries {
            let below = below(path, key);
            if self.vanishes(value, &below) {
                let lines = self.lines(&(key.range.start..value.range.end));
                self.changes.push((lines, String::new()));
            } else if let Some(lines) = self.unfolded(key, value, &below) {
                self.changes.push((key.range.end..value.range.end, format!(":\n{lines}")));
            } else {
                self.node(value, &below, self.line_end(value.range.end));
            }
        }
        let indent =
            entries.first().map(|(key, _)| self.indent(key.range.start)).unwrap_or_default();
        let at = entries.last().map_or(end, |(_, value)| self.line_end(value.range.end));
        let at = if path.is_empty() { end } else { at };
        self.insert(at, self.missing(entries, path, &indent));
    }

    /// Keys that are not there yet, as lines.
    fn missing(&self, entries: &[(Node, Node)], path: &[String], indent: &str) -> String {
        let mut text = String::new();
        for name in self.new_keys(entries, path) {
            let mut below = path.to_vec();
            below.push(name.clone());
            text.push_str(&format!("{indent}{name}:\n"));
            let deeper = format!("{indent}  ");
            match self.edit(&below) {
                Some(edit) => text.push_str(&lines(&edit.add, &deeper)),
                None => text.push_str(&self.missing(&[], &below, &deeper)),
            }
        }
        text
    }

    /// Keys below this place in which something is added, and which are not there.
    fn new_keys(&self, entries: &[(Node, Node)], path: &[String]) -> Vec<String> {
        let adding = self.edits.iter().filter(|(_, edit)| !edit.add.is_empty());
        let mut keys: Vec<String> = adding
            .filter_map(|(list, _)| list.strip_prefix(path)?.first().cloned())
            .filter(|name| !entries.iter().any(|(key, _)| is_key(key, name)))
            .collect();
        keys.dedup();
        keys
    }

    /// A list in brackets that grows too long for a line, as lines.
    fn unfolded(&self, key: &Node, value: &Node, path: &[String]) -> Option<String> {
        let (Kind::List { flow: true, items }, Some(edit)) = (&value.kind, self.edit(path)) else {
            return None;
        };
        if edit.add.is_empty() || self.flow(value, path).len() <= LONGEST {
            return None;
        }
        let indent = format!("{}  ", self.indent(key.range.start));
        let kept = items.iter().filter(|item| !self.removes(item, path));
        let kept: String = kept.map(|item| format!("{indent}- {}\n", self.written(item))).collect();
        let all = kept + &lines(&edit.add, &indent);
        Some(all.trim_end().to_owned())
    }

    fn written(&self, node: &Node) -> String {
        self.text.get(node.range.clone()).unwrap_or_default().to_owned()
    }

    /// A value in brackets, written anew.
    fn flow(&self, node: &Node, path: &[String]) -> String {
        match &node.kind {
            Kind::Scalar(_) => self.written(node),
            Kind::List { items, .. } => {
                let kept = items.iter().filter(|item| !self.removes(item, path));
                let kept = kept.map(|item| self.written(item));
                let added = self.edit(path).map(|edit| edit.add.as_slice()).unwrap_or_default();
                let all: Vec<String> =
                    kept.chain(added.iter().map(|(value, _)| value.clone())).collect();
                format!("[{}]", all.join(", "))
            }
            Kind::Map { entries, .. } => {
                let mut all = Vec::new();
                for (key, value) in entries {
                    let below = below(path, key);
                    if !self.vanishes(value, &below) {
                        all.push(format!("{}: {}", self.written(key), self.flow(value, &below)));
                    }
                }
                for name in self.new_keys(entries, path) {
                    let mut below = path.to_vec();
                    below.push(name.clone());
                    let kind = match self.edit(&below) {
                        Some(_) => Kind::List { flow: true, items: Vec::new() },
                        None => Kind::Map { flow: true, entries: Vec::new() },
                    };
                    all.push(format!("{name}: {}", self.flow(&Node { kind, ..unset() }, &below)));
                }
                format!("{{ {} }}", all.join(", "))
            }
        }
    }

    fn insert(&mut self, at: usize, mut lines: String) {
        if lines.is_empty() {
            return;
        }
        // The last line of the file may have no end.
        if !self.text.get(..at).is_none_or(|before| before.is_empty() || before.ends_with('\n')) {
            lines.insert(0, '\n');
        }
        self.changes.push((at..at, lines));
    }

    /// Its lines, from the first one's beginning to behind the last one's end.
    fn lines(&self, range: &Range<usize>) -> Range<usize> {
        self.line_start(range.start)..self.line_end(range.end)
    }

    fn line_start(&self, at: usize) -> usize {
        self.text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
    }

    /// Behind the end of the line.
    fn line_end(&self, at: usize) -> usize {
        let rest = self.text.get(at..).and_then(|rest| rest.find('\n'));
        rest.map_or(self.text.len(), |newline| at + newline + 1)
    }

    fn indent(&self, at: usize) -> String {
        let line = self.text.get(self.line_start(at)..at).unwrap_or_default();
        line.chars().take_while(|letter| *letter == ' ').collect()
    }
}

fn below(path: &[String], key: &Node) -> Vec<String> {
    let mut below = path.to_vec();
    if let Kind::Scalar(name) = &key.kind {
        below.push(name.clone());
    }
    below
}

fn is_key(key: &Node, name: &str) -> bool {
    matches!(&key.kind, Kind::Scalar(text) if text == name)
}

fn lines(values: &[Line], indent: &str) -> String {
    values.iter().map(|(value, remark)| format!("{indent}- {value}  # {remark}\n")).collect()
}
