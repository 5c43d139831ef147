//! Showing rows whose ids sort by time, and those that come.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::clock::Clock;
use crate::user::least_uuid_v7;

/// How many are asked for at a time.
const PAGE: u32 = 1000;
/// How often it is looked for new ones.
const PAUSE: Duration = Duration::from_millis(500);

/// Where rows come from, and how one is shown.
pub(super) trait Rows {
    type Row;
    /// How far back rows can still appear behind newer ones.
    const OVERLAP: Duration;
    /// At most so many with a greater id, in the order of their ids.
    async fn after(&self, id: Uuid, limit: u32) -> anyhow::Result<Vec<Self::Row>>;
    fn id(row: &Self::Row) -> Uuid;
    fn line(&self, row: &Self::Row) -> String;
}

/// What has been shown and could be met again.
#[derive(Default)]
pub(super) struct Shown {
    recent: BTreeSet<Uuid>,
    newest: Uuid,
}

impl Shown {
    /// Shows everything behind this id.
    pub(super) async fn all_after<R: Rows>(&mut self, mut after: Uuid, rows: &R) -> anyhow::Result<()> {
        loop {
            let page = rows.after(after, PAGE).await?;
            let Some(last) = page.last().map(R::id) else { return Ok(()) };
            self.show(&page, rows)?;
            after = last;
        }
    }

    /// Shows those of the rows that were not shown yet.
    pub(super) fn show<R: Rows>(&mut self, page: &[R::Row], rows: &R) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        for row in page {
            if self.recent.insert(R::id(row)) {
                writeln!(out, "{}", rows.line(row))?;
            }
            self.newest = self.newest.max(R::id(row));
        }
        Ok(out.flush()?)
    }

    /// Shows what comes behind this id, or behind what was shown, until interrupted.
    pub(super) async fn follow<R: Rows>(mut self, after: Option<Uuid>, rows: &R) -> anyhow::Result<()> {
        let (clock, start) = (Clock::system(), after.unwrap_or(self.newest));
        loop {
            tokio::time::sleep(PAUSE).await;
            let back = clock.now().checked_sub(R::OVERLAP).unwrap_or(Timestamp::UNIX_EPOCH);
            let back = least_uuid_v7(back);
            self.recent = self.recent.split_off(&back);
            self.all_after(start.max(back), rows).await?;
        }
    }
}
