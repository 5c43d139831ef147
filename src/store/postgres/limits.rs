//! Rate limits that processes share, by the server's clock.

use tokio_postgres::types::Type;

use super::super::Sql;
use super::super::error::StoreError;
use super::super::limit::{CLOCK_SLACK, Take, Taken};
use super::connections::Postgres;
use super::read;

/// Read anew wherever it stands, so also after a wait for a row's lock.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
}

#[rustfmt::skip]
macro_rules! digest { ($number:literal) => { concat!("($1::bytea[])[", $number, "]") }; }
#[rustfmt::skip]
macro_rules! interval { ($number:literal) => { concat!("($2::bigint[])[", $number, "]") }; }
#[rustfmt::skip]
macro_rules! tolerance { ($number:literal) => { concat!("($3::bigint[])[", $number, "]") }; }

/// Counts the try of this number unless it comes too soon, once the one before it was counted.
#[rustfmt::skip]
macro_rules! took {
    ($number:literal, $once:literal) => { concat!(
        "took", $number, " AS (
            INSERT INTO rate_limits AS kept (digest, until)
            SELECT ", digest!($number), ", ", now!(), " + ", interval!($number), "
            WHERE ", digest!($number), " IS NOT NULL ", $once, "
                  AND ($4::boolean OR EXISTS (SELECT FROM rate_limits WHERE digest = ", digest!($number), "))
            ON CONFLICT (digest) DO UPDATE
            SET until = ", interval!($number), " + CASE WHEN kept.until <= ", now!(), " + ", tolerance!($number), "
                    THEN greatest(kept.until, ", now!(), ") ELSE ", now!(), " END
            WHERE kept.until <= ", now!(), " + ", tolerance!($number), "
                  OR kept.until > ", now!(), " + ", tolerance!($number), " + ", interval!($number), " + $5::bigint
            RETURNING 1)"
    ) };
}

/// All tries of a request at once: $1 digests, $2 intervals, $3 tolerances, $4 whether there is room for new ones, $5 the
/// slack. The wait is read from what the statement saw at its start, which can be a moment old.
#[rustfmt::skip]
const TAKE: Sql = concat!(
    "WITH ",
    took!(1, ""), ", ",
    took!(2, "AND EXISTS (SELECT FROM took1)"), ", ",
    took!(3, "AND EXISTS (SELECT FROM took2)"), ", ",
    took!(4, "AND EXISTS (SELECT FROM took3)"), ", ",
    took!(5, "AND EXISTS (SELECT FROM took4)"), "
    SELECT let_in, (SELECT until - ", now!(), " - ($3::bigint[])[let_in + 1]
                    FROM rate_limits WHERE digest = ($1::bytea[])[let_in + 1])
    FROM (SELECT ((SELECT count(*) FROM took1) + (SELECT count(*) FROM took2) + (SELECT count(*) FROM took3)
                  + (SELECT count(*) FROM took4) + (SELECT count(*) FROM took5))::integer) AS counted (let_in)"
);

/// As many as [`TAKE`] has steps: network, site, everybody, address, user name.
const MOST: usize = 5;

/// How many buckets there are, and how many expired ones were removed of them.
#[rustfmt::skip]
const PURGE: Sql = concat!(
    "WITH purged AS (
        DELETE FROM rate_limits WHERE digest IN
            (SELECT digest FROM rate_limits WHERE until <= ", now!(), " LIMIT 1000 FOR UPDATE SKIP LOCKED)
        RETURNING 1
    ) SELECT (SELECT count(*) FROM rate_limits), (SELECT count(*) FROM purged)"
);

pub(super) const STATEMENTS: &[Sql] = &[TAKE, PURGE];

/// A try whose answer was lost with the connection may be counted twice, which lets nobody in.
pub(super) async fn take(store: &Postgres, takes: &[Take], room: bool) -> Result<Taken, StoreError> {
    debug_assert!(takes.len() <= MOST, "one request has no more limits");
    let digests: Vec<&[u8]> = takes.iter().map(|take| take.digest.as_slice()).collect();
    let intervals: Vec<i64> = takes.iter().map(|take| take.interval).collect();
    let tolerances: Vec<i64> = takes.iter().map(|take| take.tolerance).collect();
    let params = [
        (&digests as _, Type::BYTEA_ARRAY),
        (&intervals as _, Type::INT8_ARRAY),
        (&tolerances as _, Type::INT8_ARRAY),
        (&room as _, Type::BOOL),
        (&CLOCK_SLACK as _, Type::INT8),
    ];
    let row = store.ask_one(TAKE, &params).await?.ok_or(StoreError::Undecided)?;
    let let_in: i32 = row.try_get(0).map_err(read::unreadable)?;
    let wait: Option<i64> = row.try_get(1).map_err(read::unreadable)?;
    Ok(Taken::told(takes, usize::try_from(let_in).unwrap_or(0), wait, room))
}

pub(super) async fn purge(store: &Postgres) -> Result<(usize, usize), StoreError> {
    let row = store.ask_one(PURGE, &[]).await?.ok_or(StoreError::Undecided)?;
    let number = |column| -> Result<usize, StoreError> {
        let count: i64 = row.try_get(column).map_err(read::unreadable)?;
        Ok(usize::try_from(count).unwrap_or(0))
    };
    Ok((number(0)?, number(1)?))
}
