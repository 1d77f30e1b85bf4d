//! Replaces words (segments of paths, arguments) by numbered ones that the same patterns mean.

use std::collections::{BTreeMap, BTreeSet};

use picket_engine::ArgPattern;

/// Words replaced so far, each always by the same one. A number holds nothing of the word it stands for.
#[derive(Debug)]
pub(super) struct Words {
    /// What every replacement begins with.
    initial: char,
    shapes: BTreeMap<ArgPattern, Vec<Vec<u8>>>,
    given: BTreeMap<Vec<u8>, Vec<u8>>,
    taken: BTreeSet<Vec<u8>>,
    /// Words for which no replacement was found.
    pub(super) kept: u64,
}

impl Words {
    pub(super) const fn new(initial: char) -> Self {
        Self {
            initial,
            shapes: BTreeMap::new(),
            given: BTreeMap::new(),
            taken: BTreeSet::new(),
            kept: 0,
        }
    }

    /// A declared pattern: a word and its replacement are both meant by it, or neither is.
    pub(super) fn declare(&mut self, pattern: ArgPattern) {
        let blocks = blocks(&pattern.to_string());
        self.shapes.insert(pattern, blocks);
    }

    /// Which patterns mean the word.
    pub(super) fn meant(&self, word: &[u8]) -> Vec<bool> {
        self.shapes.keys().map(|pattern| pattern.matches(word)).collect()
    }

    pub(super) fn replace(&mut self, word: &[u8]) -> Vec<u8> {
        if let Some(given) = self.given.get(word) {
            return given.clone();
        }
        let replacement = self.find(word);
        self.taken.insert(replacement.clone());
        self.given.insert(word.to_vec(), replacement.clone());
        replacement
    }

    fn find(&mut self, word: &[u8]) -> Vec<u8> {
        let meant = self.meant(word);
        let shapes: Vec<&[Vec<u8>]> = self
            .shapes
            .values()
            .zip(&meant)
            .filter_map(|(blocks, meant)| meant.then_some(blocks.as_slice()))
            .collect();
        if shapes.iter().any(|blocks| blocks.len() == 1) {
            // Its declaration spells it.
            return word.to_vec();
        }
        let token = format!("{}{}", self.initial, self.given.len() + 1).into_bytes();
        let fits =
            |candidate: &Vec<u8>| !self.taken.contains(candidate) && self.meant(candidate) == meant;
        candidates(&token, &shapes).into_iter().find(fits).unwrap_or_else(|| {
            self.kept += 1;
            word.to_vec()
        })
    }
}

/// Words made of the token and of what declared patterns spell, nothing else.
fn candidates(token: &[u8], shapes: &[&[Vec<u8>]]) -> Vec<Vec<u8>> {
    let nothing: &[u8] = &[];
    let ends = |end: fn(&[Vec<u8>]) -> Option<&Vec<u8>>| -> BTreeSet<&[u8]> {
        let spelled = shapes.iter().filter_map(|blocks| end(blocks)).map(Vec::as_slice);
        spelled.chain([nothing]).collect()
    };
    let (heads, tails) = (ends(<[_]>::first), ends(<[_]>::last));
    let middles =
        shapes.iter().flat_map(|blocks| blocks.get(1..blocks.len() - 1).unwrap_or_default());
    let middle: Vec<u8> = middles.flat_map(|block| [block, token].concat()).collect();
    let mut found = Vec::new();
    for between in [nothing, &middle] {
        for head in &heads {
            for tail in &tails {
                found.push([head, token, between, tail].concat());
            }
        }
    }
    found.extend(shapes.iter().map(|blocks| blocks.join(token)));
    found
}

/// What a pattern spells, cut at its stars.
fn blocks(source: &str) -> Vec<Vec<u8>> {
    let mut blocks = vec![Vec::new()];
    let mut bytes = source.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'*' => blocks.push(Vec::new()),
            byte => {
                let spelled = if byte == b'\\' { bytes.next() } else { Some(byte) };
                blocks.last_mut().into_iter().for_each(|block| block.extend(spelled));
            }
        }
    }
    blocks
}
