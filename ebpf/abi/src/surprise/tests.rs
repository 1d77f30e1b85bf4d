use super::*;

/// Splitmix64: tests want many keys, not good ones.
fn numbers(mut state: u64) -> impl FnMut() -> u64 {
    move || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// What `level_in` must answer, entry by entry.
fn plain(bucket: &SurpriseBucket, tag: u16) -> Option<u8> {
    bucket
        .words
        .iter()
        .flat_map(|word| [0, 16, 32, 48].map(|shift| (word >> shift) as u16))
        .find(|entry| entry >> 4 == tag)
        .map(|entry| (entry & 15) as u8)
}

#[test]
fn a_bucket_answers_what_was_put_into_it_and_nothing_else() {
    let mut next = numbers(1);
    for _ in 0..2_000 {
        let mut bucket = SurpriseBucket::default();
        for _ in 0..next() % 10 {
            // Few tags, next to each other: borrows and equal tags occur.
            let tag = 1 + (next() % 24) as u16;
            let level = (next() % 16) as u8;
            let before = plain(&bucket, tag);
            match keep(&mut bucket, tag, level) {
                Kept::Stored => assert_eq!((before, plain(&bucket, tag)), (None, Some(level))),
                Kept::Collides(other) => assert_eq!(before, Some(other)),
                Kept::Full => assert!(bucket.words.iter().all(|word| first_empty(*word).is_none())),
            }
        }
        for tag in (1..30).chain(4090..4096) {
            assert_eq!(level_in(&bucket, tag), plain(&bucket, tag), "{bucket:x?}, tag {tag}");
        }
    }
}

#[test]
fn the_ninth_entry_of_a_bucket_is_turned_away_and_the_eight_are_kept() {
    let mut bucket = SurpriseBucket::default();
    for tag in 1..=8 {
        assert_eq!(keep(&mut bucket, tag, tag as u8), Kept::Stored);
    }
    assert_eq!(keep(&mut bucket, 9, 9), Kept::Full);
    assert_eq!(level_in(&bucket, 9), None);
    for tag in 1..=8 {
        assert_eq!(level_in(&bucket, tag), Some(tag as u8));
    }
}

#[test]
fn a_level_beyond_the_highest_counts_as_the_highest_and_spoils_no_tag() {
    let mut bucket = SurpriseBucket::default();
    keep(&mut bucket, 7, 0xFF);
    assert_eq!(level_in(&bucket, 7), Some(LEVEL_MAX));
}

#[test]
fn a_bucket_that_has_a_tag_twice_answers_with_a_level_all_the_same() {
    let entry = (7 << 4) | 9;
    let twice = SurpriseBucket { words: [entry | (entry << 16), (entry << 32) | entry] };
    assert_eq!(level_in(&twice, 7), Some(9));
}

#[test]
fn each_of_the_three_calls_before_matters_to_the_place_of_a_call() {
    let place = |calls: [u32; 3]| {
        let context = calls.iter().fold(NO_CALLS, |so_far, call| context_after(so_far, *call));
        surprise_place(1, 4095, context, 8)
    };
    let others = [[9, 2, 3], [1, 9, 3], [1, 2, 9], [2, 1, 3]];
    assert!(others.iter().all(|calls| place(*calls) != place([1, 2, 3])));
}

#[test]
fn a_slots_word_says_the_place_and_the_number_of_its_table_and_none_has_no_place() {
    for place in 0..TABLES {
        for number in [1, 2, TABLE_NUMBERS - 1] {
            let word = table_word(place, number);
            assert_eq!((table_place(word), table_number(word)), (place, number));
            assert_ne!(word, 0);
        }
    }
    assert!(TABLES <= table_place(0));
}

#[test]
fn an_empty_bucket_answers_to_no_tag() {
    assert!((1..4096).all(|tag| level_in(&SurpriseBucket::default(), tag).is_none()));
}

#[test]
fn a_context_is_the_last_three_calls_and_the_fourth_is_forgotten() {
    let after =
        |calls: &[u32]| calls.iter().fold(NO_CALLS, |so_far, call| context_after(so_far, *call));
    assert_eq!(after(&[9, 1, 2, 3]), after(&[8, 7, 1, 2, 3]));
    assert_ne!(after(&[1, 2, 3]), after(&[2, 3]));
    assert_ne!(after(&[0]), NO_CALLS);
    assert_eq!(after(&[512]), after(&[u32::MAX]));
    assert_ne!(after(&[511]), after(&[512]));
}

#[test]
fn a_context_of_two_calls_is_no_context_of_three() {
    let after =
        |calls: [u32; 3]| calls.iter().fold(NO_CALLS, |so_far, call| context_after(so_far, *call));
    assert_eq!(two_calls(after([5, 6, 7])), two_calls(after([4, 6, 7])));
    assert_ne!(two_calls(after([5, 6, 7])), two_calls(after([5, 7, 6])));
    let oldest = [0, 1, 509, 510, 511, 512, 9999];
    assert!(oldest.iter().all(|call| after([*call, 6, 7]) != two_calls(after([5, 6, 7]))));
    assert_ne!(two_calls(NO_CALLS), NO_CALLS);
}

#[test]
fn every_place_is_inside_the_table_and_no_tag_is_that_of_an_empty_entry() {
    let mut next = numbers(2);
    for _ in 0..20_000 {
        let mask = (1_u32 << (next() % 13)) - 1;
        let place = surprise_place(next(), mask, next() as u32, next() as u32);
        assert!(place.bucket <= mask && (1..4096).contains(&place.tag), "{place:?}");
    }
    let place = surprise_place(next(), u32::MAX, 1, 1);
    assert!(place.bucket < BUCKETS_MAX, "{place:?}");
}

#[test]
fn another_seed_puts_calls_elsewhere() {
    let places = |seed| (0..100).map(move |call| surprise_place(seed, 4095, 77, call));
    let same = places(1).zip(places(2)).filter(|(one, other)| one == other).count();
    assert_eq!(same, 0);
}

#[test]
fn neighbouring_calls_spread_over_the_buckets() {
    let mut load = [0_i32; 256];
    for context in 0..16 {
        for call in 0..64 {
            load[surprise_place(3, 255, context, call).bucket as usize] += 1;
        }
    }
    // 1 024 keys, 4 a bucket: chi-squared of 255 degrees of freedom, above 350 once in 30 000 times.
    let uneven: i32 = load.iter().map(|keys| (keys - 4) * (keys - 4)).sum();
    assert!(uneven < 4 * 350, "{uneven}: {load:?}");
}

fn head(bucket_mask: u32) -> SurpriseHead {
    SurpriseHead { seed: 5, bucket_mask, reserved: 0, miss: [9; SYSCALLS as usize] }
}

/// What observing these calls gives on a table of the entries.
fn observed(entries: &[(u32, u32, u8)], calls: &[u32]) -> (ThreadCalls, [Option<Observed>; 4]) {
    let mut buckets = [SurpriseBucket::default(); 16];
    let packed = pack(&head(15), &mut buckets, entries.iter().copied());
    assert_eq!(packed.stored as usize, entries.len());
    let mut thread = ThreadCalls::default();
    let mut all = [None; 4];
    for (call, place) in calls.iter().zip(&mut all) {
        *place = thread.observe(&head(15), *call, |index| buckets.get(index as usize));
    }
    (thread, all)
}

#[test]
fn a_learned_call_has_its_level_another_one_that_of_a_miss_and_a_call_beyond_all_the_highest() {
    let (thread, all) = observed(&[(NO_CALLS, 3, 2)], &[3, 4, 600]);
    let level = |observed: Option<Observed>| observed.map(|observed| observed.level);
    assert_eq!(all.map(level), [Some(2), Some(9), Some(LEVEL_MAX), None]);
    assert_eq!((thread.calls, thread.level_sum), (3, 26));
}

#[test]
fn a_call_is_novel_only_where_it_was_not_even_learned_after_the_two_before_it() {
    let one = context_after(NO_CALLS, 1);
    let (thread, all) = observed(&[(two_calls(one), 2, 0)], &[1, 2, 3]);
    let novel = |observed: Option<Observed>| observed.map(|observed| observed.novel);
    assert_eq!(all.map(novel), [Some(true), Some(false), Some(true), None]);
    assert_eq!(thread.novel, 2);
}

#[test]
fn without_a_bucket_nothing_is_booked() {
    let mut thread = ThreadCalls::default();
    assert_eq!(thread.observe(&head(15), 1, |_| None), None);
    assert_eq!(thread, ThreadCalls::default());
}

#[test]
fn what_has_no_room_or_shares_a_tag_is_counted() {
    let mut buckets = [SurpriseBucket::default(); 1];
    let same = (NO_CALLS, 1, 0);
    let entries = [same, same].into_iter().chain((2..11).map(|call| (NO_CALLS, call, 0)));
    let packed = pack(&head(0), &mut buckets, entries);
    assert_eq!(packed, Packed { stored: 8, collided: 1, no_room: 2 });
}
