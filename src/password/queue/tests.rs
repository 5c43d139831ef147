use std::collections::{BTreeMap, BTreeSet};

use super::Lane::{Registration, Verification};
use super::*;

const ALONE: Lane = Registration(Source(0));
const OTHER: Lane = Registration(Source(3));

/// Two workers, a deadline of two seconds of which one is given away, and 10 ms for each unit of work: room for 200 and
/// one.
fn queue() -> Queue<u32> {
    Queue::new(2, Duration::from_secs(2), Duration::from_millis(10))
}

fn fill(queue: &mut Queue<u32>, lane: Lane, items: std::ops::Range<u32>) {
    for item in items {
        queue.push(lane, 1, item, Instant::now());
    }
}

fn admit(queue: &mut Queue<u32>, lane: Lane, item: u32) -> Result<Option<u32>, u32> {
    match queue.admit(lane, 1, item, Instant::now()) {
        Admission::Admitted => Ok(None),
        Admission::InsteadOf(entry) => Ok(Some(entry.item)),
        Admission::Refused(item) => Err(item),
    }
}

fn milliseconds(queue: &Queue<u32>) -> u128 {
    (queue.backlog() + Duration::from_micros(500)).as_millis()
}

#[test]
fn room_ends_where_half_of_the_deadline_does() {
    let mut queue = queue();
    fill(&mut queue, ALONE, 0..200);
    assert_eq!((milliseconds(&queue), queue.has_room(Instant::now())), (1000, true));
    assert_eq!(admit(&mut queue, ALONE, 200), Ok(None));
    assert_eq!((milliseconds(&queue), queue.has_room(Instant::now())), (1005, false));
    assert_eq!(admit(&mut queue, ALONE, 201), Err(201));
    queue.pop();
    assert!(queue.has_room(Instant::now()));
}

#[test]
fn room_is_kept_for_as_many_as_there_is_room_for() {
    let (mut queue, now) = (queue(), Instant::now());
    let expected = (0..300).filter(|_| queue.expect(ALONE, 1, now)).count();
    assert_eq!(expected, 201);
    assert!(queue.fullness(now) > 1.0, "{}", queue.fullness(now));
    // One of them comes, one gives its place back, and nobody else has taken either meanwhile.
    queue.expected_no_more(ALONE, 1);
    assert_eq!(admit(&mut queue, ALONE, 0), Ok(None));
    assert!(!queue.expect(ALONE, 1, now));
    queue.expected_no_more(ALONE, 1);
    assert!(queue.expect(ALONE, 1, now));
    assert_eq!(milliseconds(&queue), 5, "nobody waits behind somebody who is only expected");
}

#[test]
fn those_who_are_expected_keep_nobody_else_out() {
    let (mut queue, now) = (queue(), Instant::now());
    let expected = (0..300).filter(|_| queue.expect(ALONE, 1, now)).count();
    assert!(expected < 300, "there is an end of the room");
    assert_eq!(admit(&mut queue, ALONE, 0), Err(0));
    assert_eq!(admit(&mut queue, OTHER, 1), Ok(None));
    assert_eq!(admit(&mut queue, Verification, 2), Ok(None));
}

#[test]
fn checks_and_sign_ups_are_served_in_turn() {
    let mut queue = queue();
    fill(&mut queue, ALONE, 0..1000);
    fill(&mut queue, Verification, 1000..1003);
    let order: Vec<u32> = (0..8).map(|_| queue.pop().unwrap().item).collect();
    assert_eq!(order, [0, 1000, 1, 1001, 2, 1002, 3, 4]);
    fill(&mut queue, Verification, 2000..2001);
    assert_eq!(queue.pop().unwrap().item, 2000, "whoever was not served last is next");
}

#[test]
fn sources_are_served_in_turn() {
    let mut queue = queue();
    fill(&mut queue, ALONE, 0..5);
    fill(&mut queue, OTHER, 100..102);
    fill(&mut queue, Registration(Source(1)), 200..201);
    let order: Vec<u32> = std::iter::from_fn(|| queue.pop()).map(|entry| entry.item).collect();
    assert_eq!(order, [0, 200, 100, 1, 101, 2, 3, 4]);
}

#[test]
fn in_a_full_queue_the_longest_line_gives_way_down_to_a_fair_share() {
    let mut queue = queue();
    (0..201).for_each(|item| assert_eq!(admit(&mut queue, ALONE, item), Ok(None)));
    // The other source is let in until both are as long; what goes is always the newest of the longer line.
    let pushed_out: Vec<u32> =
        (1000..1100).filter_map(|item| admit(&mut queue, OTHER, item).unwrap()).collect();
    assert_eq!(pushed_out, (101..201).rev().collect::<Vec<_>>());
    assert_eq!(admit(&mut queue, OTHER, 1100), Err(1100));
    assert_eq!(admit(&mut queue, ALONE, 1101), Err(1101));
    // Checks have half of the whole, however many sources there are.
    let checks = (2000..2300).filter(|&item| admit(&mut queue, Verification, item).is_ok()).count();
    assert_eq!((checks, queue.len(), milliseconds(&queue)), (100, 201, 1005));
    // And a flood of checks has no more than that.
    assert!(admit(&mut queue, Verification, 9).is_err() && admit(&mut queue, OTHER, 9).is_err());
}

#[test]
fn a_flood_of_checks_gives_way_to_sign_ups() {
    let mut queue = queue();
    fill(&mut queue, Verification, 0..201);
    assert_eq!(admit(&mut queue, ALONE, 1000), Ok(Some(200)));
}

#[test]
fn the_pace_follows_the_measurements() {
    let mut queue = queue();
    fill(&mut queue, ALONE, 0..2);
    assert_eq!(milliseconds(&queue), 10);
    for _ in 0..100 {
        queue.measured(5, Duration::from_millis(500));
    }
    assert_eq!(milliseconds(&queue), 100);
}

#[test]
fn what_is_removed_no_longer_counts() {
    let mut queue = queue();
    fill(&mut queue, ALONE, 0..10);
    fill(&mut queue, Verification, 10..12);
    let removed: Vec<u32> = queue.remove(|item| item % 2 == 0).into_iter().map(|entry| entry.item).collect();
    assert_eq!(removed, [0, 2, 4, 6, 8, 10]);
    assert_eq!((queue.len(), milliseconds(&queue)), (6, 30));
    while queue.pop().is_some() {}
    assert_eq!((queue.len(), milliseconds(&queue)), (0, 0));
}

/// Plays a burst of ten seconds' work within one second and lets everybody come back when they were told to, in the
/// whole seconds of a `Retry-After`.
#[test]
fn whoever_comes_back_when_told_to_is_let_in() {
    let (mut queue, start) = (queue(), Instant::now());
    let mut arrivals: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    (0..2000_u32).for_each(|item| arrivals.entry(u64::from(item) / 2).or_default().push(item));
    let (mut refused, mut begun, mut done_at) = (BTreeSet::new(), 0, 0);
    for millisecond in 0..30_000 {
        let now = start + Duration::from_millis(millisecond);
        for item in arrivals.remove(&millisecond).unwrap_or_default() {
            if let Admission::Refused(item) = queue.admit(ALONE, 1, item, now) {
                assert!(refused.insert(item), "{item} came back after {millisecond} ms for nothing");
                let seconds = queue.send_away(1, now).as_secs_f64().ceil() as u64;
                arrivals.entry(millisecond + 1000 * seconds).or_default().push(item);
            }
        }
        // Two workers, 10 ms each: one item every 5 ms.
        if millisecond % 5 == 0 && queue.pop().is_some() {
            (begun, done_at) = (begun + 1, millisecond);
        }
    }
    assert_eq!(begun, 2000);
    assert!(refused.len() > 1500, "{}", refused.len());
    assert!(done_at < 12_000, "{done_at}: nobody was sent away for much longer than needed");
}

#[test]
fn nobody_is_sent_away_for_longer_than_half_a_minute() {
    let (mut queue, now) = (queue(), Instant::now());
    let told = (0..100_000).map(|_| queue.send_away(1, now)).last().unwrap();
    assert_eq!(told.as_secs(), 30);
    let later = now + Duration::from_secs(29);
    assert!(
        queue.send_away(1, later) < Duration::from_millis(1006),
        "the line outside gets shorter by itself"
    );
}

#[test]
fn a_queue_that_stands_is_kept_short_until_it_has_been() {
    let mut queue = queue();
    let start = Instant::now();
    let at = |milliseconds| start + Duration::from_millis(milliseconds);
    let try_at = |queue: &mut Queue<u32>, ms| matches!(queue.admit(ALONE, 1, 0, at(ms)), Admission::Admitted);
    while try_at(&mut queue, 0) {}
    assert_eq!(queue.len(), 201, "a burst gets all of the room");
    // Half of it is 100 items, half of that 50.
    for _ in 0..80 {
        queue.pop();
    }
    assert!(try_at(&mut queue, 2000), "it has not stood for longer than the deadline");
    assert!(!try_at(&mut queue, 2001));
    while queue.len() > 100 {
        queue.pop();
    }
    assert!(try_at(&mut queue, 2002) && !try_at(&mut queue, 2003), "up to a half");
    while queue.len() > 50 {
        queue.pop();
    }
    while try_at(&mut queue, 2004) {}
    assert_eq!(queue.len(), 201, "it has been short, and the next burst gets all of the room");
}

/// What became of ten times too much, five seconds long.
#[derive(Debug, Default)]
struct Flood {
    begun: u64,
    refused: u64,
    /// Let in, and not begun before the deadline.
    late: u64,
    /// Milliseconds for which a worker stood idle.
    idle: u64,
    /// The longest wait of one that was begun, in milliseconds.
    longest: u128,
}

/// Plays it in steps of a millisecond: two workers of 10 ms each, which take twice as long in the second from
/// `slow_from` on, and two newcomers a millisecond.
fn flood(queue: &mut Queue<u32>, start: Instant, slow_from: u64) -> Flood {
    let (mut flood, mut busy) = (Flood::default(), [(0, 0); 2]);
    for millisecond in 0..5000 {
        let now = start + Duration::from_millis(millisecond);
        for _ in 0..2 {
            flood.refused += u64::from(matches!(queue.admit(ALONE, 1, 0, now), Admission::Refused(_)));
        }
        for (until, takes) in &mut busy {
            if *until > millisecond {
                continue;
            }
            if *takes > 0 {
                queue.measured(1, Duration::from_millis(*takes));
            }
            let next = loop {
                match queue.pop() {
                    Some(entry) if now > entry.expires => flood.late += 1,
                    next => break next,
                }
            };
            let Some(entry) = next else {
                (flood.idle, *takes) = (flood.idle + 1, 0);
                continue;
            };
            flood.begun += 1;
            flood.longest = flood.longest.max((now - entry.since).as_millis());
            *takes = if (slow_from..slow_from + 1000).contains(&millisecond) { 20 } else { 10 };
            *until = millisecond + *takes;
        }
    }
    flood
}

#[test]
fn a_machine_that_slows_down_to_half_for_a_second_breaks_no_promise() {
    for slow_from in [0, 50, 110, 200, 500, 1000, 1500, 2500, 3500] {
        let (mut queue, start) = (queue(), Instant::now());
        let flood = flood(&mut queue, start, slow_from);
        let told_at_once = (flood.late, flood.idle, flood.begun + flood.refused + queue.len() as u64);
        assert_eq!(told_at_once, (0, 0, 10_000), "{slow_from}: {flood:?}");
        // 200 a second, less the 100 that the slow second cost, and what was in hand when it began.
        assert!((896..=904).contains(&flood.begun), "{slow_from}: {flood:?}");
        assert!(flood.longest <= 1600, "{slow_from}: {flood:?}");
        assert!(
            milliseconds(&queue) <= 600,
            "{slow_from}: whoever comes after it waits for {}",
            milliseconds(&queue)
        );
    }
}
