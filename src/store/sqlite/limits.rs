//! Rate limits that the processes on this file share. The clock is the machine's, which is theirs, too.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::super::Sql;
use super::super::limit::{CLOCK_SLACK, Take, Taken};

macro_rules! now {
    () => {
        "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
    };
}

/// Counts a try unless it comes too soon. ?1 digest, ?2 interval, ?3 tolerance, ?4 whether there is room for new ones,
/// ?5 the slack.
#[rustfmt::skip]
const TAKE: Sql = concat!(
    "INSERT INTO rate_limits (digest, until)
     SELECT ?1, ", now!(), " + ?2 WHERE ?4 OR EXISTS (SELECT 1 FROM rate_limits WHERE digest = ?1)
     ON CONFLICT (digest) DO UPDATE
     SET until = ?2 + CASE WHEN until <= ", now!(), " + ?3 THEN max(until, ", now!(), ") ELSE ", now!(), " END
     WHERE until <= ", now!(), " + ?3 OR until > ", now!(), " + ?3 + ?2 + ?5
     RETURNING until"
);

const WAIT: Sql = concat!("SELECT until - ", now!(), " - ?2 FROM rate_limits WHERE digest = ?1");

const COUNT: Sql = concat!("SELECT count(*), count(*) FILTER (WHERE until <= ", now!(), ") FROM rate_limits");

#[rustfmt::skip]
const PURGE: Sql = concat!(
    "DELETE FROM rate_limits WHERE digest IN
         (SELECT digest FROM rate_limits WHERE until <= ", now!(), " LIMIT 1000)"
);

pub(super) const STATEMENTS: &[Sql] = &[TAKE, WAIT, COUNT, PURGE];

/// Counts one try after the other, up to the first that comes too soon.
pub(super) fn take(connection: &Connection, takes: &[Take], room: bool) -> rusqlite::Result<Taken> {
    let mut statement = connection.prepare_cached(TAKE)?;
    for (number, take) in takes.iter().enumerate() {
        let given = params![take.digest, take.interval, take.tolerance, room, CLOCK_SLACK];
        if statement.query_row(given, |_| Ok(())).optional()?.is_none() {
            let mut wait = connection.prepare_cached(WAIT)?;
            let wait = wait.query_row(params![take.digest, take.tolerance], |row| row.get(0)).optional()?;
            return Ok(Taken::told(takes, number, wait, room));
        }
    }
    Ok(Taken::All)
}

/// How many buckets there are, and how many of them have expired.
pub(super) fn count(connection: &Connection) -> rusqlite::Result<(usize, usize)> {
    let row = connection.prepare_cached(COUNT)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let number = |count: i64| usize::try_from(count).unwrap_or(0);
    Ok((number(row.0), number(row.1)))
}

pub(super) fn purge(connection: &Connection) -> rusqlite::Result<usize> {
    connection.prepare_cached(PURGE)?.execute([])
}
