//! The pool of tables that say how unexpected a call is after the three before it (`picket_abi::surprise`).
//!
//! A slot points at a place of the pool. A place is only written while no slot points there, so no call is ever judged by
//! half a table: another table for a sandbox is filled in elsewhere first, then the slot points at it.

use std::collections::{BTreeMap, VecDeque};

use aya::{
    Ebpf,
    maps::{Array, MapData},
};
use picket_abi::surprise::{
    SurpriseTable, TABLE_NUMBERS, TABLES as PLACES, table_place, table_word,
};
use zerocopy::IntoBytes;

use super::{SlotError, map};
use crate::probe::load::LoadError;

/// The map that holds the pool.
pub(super) const TABLES: &str = "TABLES";

/// What a slot without a table says.
pub(super) const NO_TABLE: u32 = 0;

type TableBytes = [u8; size_of::<SurpriseTable>()];

/// The pool.
pub(super) struct Tables {
    map: Array<MapData, TableBytes>,
    /// The one that was given back first is taken first: a program that runs while its slot points elsewhere may still look
    /// at the old place.
    free: VecDeque<u32>,
    last_number: u32,
    /// What the taken places must hold.
    filled: BTreeMap<u32, Box<TableBytes>>,
}

impl Tables {
    pub(super) fn take(ebpf: &mut Ebpf) -> Result<Self, LoadError> {
        let (map, free) = (map(ebpf, TABLES)?, (0..PLACES).collect());
        Ok(Self { map, free, last_number: 0, filled: BTreeMap::new() })
    }

    /// Puts a table into a free place, and answers what a slot must say to look into it.
    pub(super) fn fill(&mut self, table: &SurpriseTable) -> Result<u32, SlotError> {
        let place = *self.free.front().ok_or(SlotError::NoPlaceForTable)?;
        let bytes = <&TableBytes>::try_from(table.as_bytes()).expect("the size of its type");
        self.write(place, bytes)?;
        self.free.pop_front();
        self.filled.insert(place, Box::new(*bytes));
        // From 1 on, also when all numbers have been given once.
        self.last_number = self.last_number % (TABLE_NUMBERS - 1) + 1;
        Ok(table_word(place, self.last_number))
    }

    /// No slot says this any more.
    pub(super) fn free(&mut self, word: u32) {
        let place = table_place(word);
        if self.filled.remove(&place).is_some() {
            self.free.push_back(place);
        }
    }

    /// Whether the table that a slot points at is what was put there; true of no table.
    pub(super) fn is_as_filled(&self, word: u32) -> bool {
        let place = table_place(word);
        let held = |bytes: &TableBytes| self.map.get(&place, 0).is_ok_and(|there| there == *bytes);
        self.filled.get(&place).is_none_or(|bytes| held(bytes))
    }

    /// Puts it there again.
    pub(super) fn restore(&mut self, word: u32) -> Result<(), SlotError> {
        let place = table_place(word);
        let Some(bytes) = self.filled.remove(&place) else { return Ok(()) };
        let written = self.write(place, &bytes);
        self.filled.insert(place, bytes);
        written
    }

    fn write(&mut self, place: u32, bytes: &TableBytes) -> Result<(), SlotError> {
        let refused = |source| SlotError::Map { map: TABLES, source };
        self.map.set(place, bytes, 0).map_err(refused)?;
        let there = self.map.get(&place, 0).map_err(refused)?;
        if there == *bytes { Ok(()) } else { Err(SlotError::NotReadBack { map: TABLES }) }
    }
}
