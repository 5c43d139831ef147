//! How much is written of refusals, which cost a stranger nothing.
//!
//! An account costs a hash, so each has a row of its own. Whatever made none (a refusal, or an answer that was given again)
//! has one as long as it keeps to a rate; beyond it, requests are counted together for a minute, by contract, outcome and
//! network. So a flood makes two bounded streams of rows and no more, and every request is in a row.

use std::collections::HashMap;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::Rate;
use crate::store::{Attempt, Claimed};
use crate::throttle::{Bucket, Micros};
use crate::user::uuid_v7;

/// For how long refusals are counted together.
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// How many networks are told apart among those that are counted together.
const NETWORKS: usize = 60;

/// Decides what is a row.
pub(super) struct Ledger {
    bucket: Option<Bucket>,
    /// Up to when the refusals so far fill the time.
    end: Micros,
    counted: HashMap<Group, Attempt>,
    clock: Clock,
}

/// What is counted together: contract, outcome and network.
type Group = (String, String, Option<String>);

impl Ledger {
    /// `refusals` is how many have a row of their own; `None` is all.
    pub(super) fn new(refusals: Option<Rate>, clock: Clock) -> Ledger {
        Ledger { bucket: refusals.map(Bucket::new), end: 0, counted: HashMap::new(), clock }
    }

    /// The attempt again when it is a row of its own; otherwise it is counted.
    pub(super) fn enter(&mut self, attempt: Attempt) -> Option<Attempt> {
        let Some(bucket) = self.bucket.filter(|_| attempt.user.is_none()) else { return Some(attempt) };
        match bucket.take(self.end, self.clock.uptime().as_micros() as Micros) {
            Ok(end) => {
                self.end = end;
                Some(attempt)
            }
            Err(_) => {
                self.count(attempt);
                None
            }
        }
    }

    fn count(&mut self, mut attempt: Attempt) {
        let group =
            |attempt: &Attempt| (attempt.contract.clone(), attempt.outcome.clone(), attempt.network.clone());
        if self.counted.len() >= NETWORKS && !self.counted.contains_key(&group(&attempt)) {
            // There are few contracts and outcomes, but as many networks as strangers like.
            attempt.network = None;
        }
        match self.counted.get_mut(&group(&attempt)) {
            Some(counted) => counted.attempts = counted.attempts.saturating_add(attempt.attempts),
            None => {
                self.counted.insert(group(&attempt), attempt);
            }
        }
    }

    /// Whether anything is counted.
    pub(super) fn has_counted(&self) -> bool {
        !self.counted.is_empty()
    }

    /// The rows of what was counted, which begins anew. One that stayed alone is as it was.
    pub(super) fn counted(&mut self) -> Vec<Attempt> {
        let now = self.clock.now();
        let row = |attempt: Attempt| match attempt.attempts {
            1 => attempt,
            _ => {
                let id = uuid_v7(now, self.clock.random());
                Attempt { id, at: now, claimed: Claimed::default(), ..attempt }
            }
        };
        std::mem::take(&mut self.counted).into_values().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use jiff::Timestamp;
    use uuid::Uuid;

    use super::*;

    fn attempt(number: u128, outcome: &str, network: &str) -> Attempt {
        Attempt {
            id: Uuid::from_u128(number),
            at: Timestamp::UNIX_EPOCH,
            contract: "knex".to_owned(),
            outcome: outcome.to_owned(),
            status: Some(400),
            network: Some(network.to_owned()),
            user: None,
            claimed: Claimed { email: Some([1; 16]), username: None },
            attempts: 1,
        }
    }

    fn account(number: u128) -> Attempt {
        Attempt { user: Some(Uuid::from_u128(number)), ..attempt(number, "created", "192.0.2.1") }
    }

    fn ledger(burst: u32) -> Ledger {
        let rate = Rate { count: 1, per: Duration::from_secs(3600), burst };
        Ledger::new(Some(rate), Clock::fixed(Timestamp::UNIX_EPOCH, 1))
    }

    #[test]
    fn within_the_rate_everything_is_a_row_and_beyond_it_accounts_are() {
        let mut ledger = ledger(2);
        let refused = |number, outcome| attempt(number, outcome, "192.0.2.1");
        let attempts = [
            refused(0, "invalid"),
            account(1),
            refused(2, "taken"),
            refused(3, "invalid"),
            account(4),
            refused(5, "invalid"),
            refused(6, "taken"),
        ];
        let own = attempts.map(|attempt| ledger.enter(attempt).is_some());
        assert_eq!(own, [true, true, true, false, true, false, false]);
        let mut rows = ledger.counted();
        rows.sort_by_key(|row| row.attempts);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0], attempt(6, "taken", "192.0.2.1"), "one that stayed alone is as it was");
        assert_eq!((rows[1].attempts, rows[1].outcome.as_str()), (2, "invalid"));
        assert_eq!((rows[1].claimed, rows[1].network.as_deref()), (Claimed::default(), Some("192.0.2.1")));
        assert!(!ledger.has_counted());
    }

    #[test]
    fn an_answer_that_is_given_again_is_no_account() {
        let mut ledger = ledger(1);
        assert!(ledger.enter(account(1)).is_some());
        let again: Vec<bool> =
            (2..9).map(|number| ledger.enter(attempt(number, "created", "192.0.2.1")).is_some()).collect();
        assert_eq!(again.iter().filter(|own| **own).count(), 1);
        assert_eq!(ledger.counted()[0].attempts, 6);
    }

    #[test]
    fn a_flood_from_everywhere_makes_few_rows_that_hold_every_request() {
        let mut ledger = ledger(1);
        let rows: Vec<Attempt> = (0..50_000)
            .filter_map(|number| {
                ledger.enter(attempt(number, "throttled", &format!("2001:db8:{number:x}::/64")))
            })
            .collect();
        assert_eq!(rows.len(), 1);
        let counted = ledger.counted();
        assert!(counted.len() <= NETWORKS + 1, "{}", counted.len());
        assert_eq!(counted.iter().map(|row| row.attempts).sum::<u32>(), 49_999);
        let ids: HashSet<Uuid> = counted.iter().map(|row| row.id).collect();
        assert_eq!(ids.len(), counted.len());
    }
}
