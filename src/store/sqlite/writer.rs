//! The one thread that writes, and its group commit.
//!
//! SQLite has one writer at a time whatever one does, and a durable commit costs a sync of the disk. So one thread
//! takes all that waits, writes it in one transaction and syncs once for all of it. Nothing waits for a timer: an
//! idle store commits each sign-up at once, a busy one fills the next group while it syncs the last.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::super::error::{Fault, StoreError};
use crate::steps::{Step, Steps};

/// The most that one commit holds, so that the first of a group does not wait long for the last.
const GROUP: usize = 256;

/// How a commit of a group goes to the disk. In a write-ahead log NORMAL leaves the sync to a later commit or to the
/// checkpoint: the order of commits is kept, and a crash can undo only the last of them.
const SYNCED: &str = "PRAGMA synchronous = FULL";
const UNSYNCED: &str = "PRAGMA synchronous = NORMAL";

/// How many may wait for the writer; more wait to be let in.
const QUEUE: usize = 1024;

/// How long to wait to be let in. The disk is then far behind, and waiting on would only add to it.
const QUEUE_DEADLINE: Duration = Duration::from_secs(5);

/// A piece of work for the writer.
pub(super) trait Work: Send {
    /// Does the work in the group's transaction, undoing on refusal all that it wrote, and keeps its own outcome.
    /// An error means that it could not undo or keep its part: then nothing of the group may be committed.
    fn perform(&mut self, transaction: &mut Transaction<'_>) -> rusqlite::Result<()>;

    /// Whether its outcome may be told only when it is on the disk.
    fn is_durable(&self) -> bool {
        true
    }

    /// Tells the outcome; called once, after the group's commit has returned or the group has failed.
    fn answer(self: Box<Self>, committed: Result<(), GroupError>);
}

/// Why a whole group came to nothing.
#[derive(Clone, Debug)]
pub(super) enum GroupError {
    /// Nothing of it was written.
    Lost(StoreError),
    /// The disk failed during the commit: what it kept shows only after the next recovery.
    Unknown(StoreError),
}

/// Work that can only fail as a whole.
pub(super) struct Write<R, F> {
    write: Option<F>,
    durable: bool,
    outcome: Option<Result<R, StoreError>>,
    reply: oneshot::Sender<Result<R, StoreError>>,
}

impl<R, F: FnOnce(&Connection) -> rusqlite::Result<R>> Write<R, F> {
    pub(super) fn new(write: F) -> (Self, oneshot::Receiver<Result<R, StoreError>>) {
        let (reply, answer) = oneshot::channel();
        (Write { write: Some(write), durable: true, outcome: None, reply }, answer)
    }

    /// The same, and a crash may undo it.
    pub(super) fn not_durable(self) -> Self {
        Write { durable: false, ..self }
    }
}

impl<R: Send, F: FnOnce(&Connection) -> rusqlite::Result<R> + Send> Work for Write<R, F> {
    fn perform(&mut self, transaction: &mut Transaction<'_>) -> rusqlite::Result<()> {
        let savepoint = transaction.savepoint()?;
        let Some(write) = self.write.take() else { return savepoint.finish() };
        match write(&savepoint) {
            Ok(written) => {
                savepoint.commit()?;
                self.outcome = Some(Ok(written));
            }
            Err(error) => {
                savepoint.finish()?;
                self.outcome = Some(Err(error.into()));
            }
        }
        Ok(())
    }

    fn is_durable(&self) -> bool {
        self.durable
    }

    fn answer(self: Box<Self>, committed: Result<(), GroupError>) {
        let outcome = match committed {
            Ok(()) => self.outcome.unwrap_or(Err(StoreError::Closed)),
            Err(GroupError::Lost(error) | GroupError::Unknown(error)) => Err(error),
        };
        // Whoever asked may have left.
        let _ = self.reply.send(outcome);
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    /// `None` once closed.
    queue: Mutex<Option<mpsc::Sender<Box<dyn Work>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(connection: Connection, steps: Steps) -> std::io::Result<Writer> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || run(connection, waiting, &steps))?;
        Ok(Writer { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) })
    }

    /// Hands work over; once this has returned `Ok`, the work is done and answered whatever its sender does.
    pub(super) async fn send(&self, work: Box<dyn Work>) -> Result<(), StoreError> {
        let queue = self.queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let queue = queue.ok_or(StoreError::Closed)?;
        queue.send_timeout(work, QUEUE_DEADLINE).await.map_err(|refused| match refused {
            mpsc::error::SendTimeoutError::Timeout(_) => StoreError::Busy("the writer's queue is full"),
            mpsc::error::SendTimeoutError::Closed(_) => StoreError::Closed,
        })
    }

    /// Lets the thread finish what it has been given and waits for its end.
    pub(super) async fn close(&self) {
        self.queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let thread = self.thread.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(thread) = thread {
            // It does not panic; if it did, the hook has said so.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

fn run(mut connection: Connection, mut waiting: mpsc::Receiver<Box<dyn Work>>, steps: &Steps) {
    while let Some(first) = waiting.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(next) = waiting.try_recv()
        {
            group.push(next);
        }
        // Were this thread to end, nobody could be written until the next start.
        let committed = catch_unwind(AssertUnwindSafe(|| commit(&mut connection, &mut group, steps)));
        let committed = committed.unwrap_or_else(|_| {
            let message = "the writer panicked".to_owned();
            Err(GroupError::Unknown(StoreError::Refused(Fault { code: None, message })))
        });
        for work in group {
            work.answer(committed.clone());
        }
    }
}

/// Writes a group in one transaction. `Ok` only after COMMIT has returned, which is after the sync.
fn commit(connection: &mut Connection, group: &mut [Box<dyn Work>], steps: &Steps) -> Result<(), GroupError> {
    let lost = |error: rusqlite::Error| GroupError::Lost(error.into());
    // One that must be durable has the whole log synced, what others left unsynced before it included.
    let durable = group.iter().any(|work| work.is_durable());
    connection.execute_batch(if durable { SYNCED } else { UNSYNCED }).map_err(lost)?;
    let mut transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(lost)?;
    for work in group {
        work.perform(&mut transaction).map_err(lost)?;
        // A full disk or an I/O error can roll back everything at once. To go on would open a new transaction by
        // the next savepoint and commit it alone, behind the back of this group's answer.
        if transaction.is_autocommit() {
            let message = "the disk failed and the transaction was rolled back".to_owned();
            return Err(GroupError::Lost(StoreError::Refused(Fault { code: None, message })));
        }
    }
    steps.pass(Step::Inserted);
    transaction.commit().map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure) => GroupError::Unknown(error.into()),
        _ => GroupError::Lost(error.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs one statement. What it could not do, it undoes, as a registration does.
    struct Statement(&'static str);

    impl Work for Statement {
        fn perform(&mut self, transaction: &mut Transaction<'_>) -> rusqlite::Result<()> {
            let savepoint = transaction.savepoint()?;
            match savepoint.execute_batch(self.0) {
                Ok(()) => savepoint.commit(),
                Err(_) => savepoint.finish(),
            }
        }

        fn answer(self: Box<Self>, _: Result<(), GroupError>) {}
    }

    fn commit_all(connection: &mut Connection, statements: &[&'static str]) -> Result<(), GroupError> {
        let mut group: Vec<Box<dyn Work>> = Vec::new();
        group.extend(statements.iter().map(|sql| Box::new(Statement(sql)) as Box<dyn Work>));
        commit(connection, &mut group, &Steps::none())
    }

    fn rows(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("the table is there")
    }

    /// A table of big rows that refer to each other, checked only at COMMIT.
    fn table() -> Connection {
        let connection = Connection::open_in_memory().expect("a database in memory");
        let make = "PRAGMA foreign_keys = ON;
                    CREATE TABLE t (id INTEGER PRIMARY KEY, big BLOB DEFAULT (zeroblob(100000)),
                                    other INTEGER REFERENCES t (id) DEFERRABLE INITIALLY DEFERRED)";
        connection.execute_batch(make).expect("the table is made");
        connection
    }

    #[test]
    fn a_refused_member_costs_the_group_nothing() {
        let mut connection = table();
        let insert = "INSERT INTO t (id) VALUES (1)";
        commit_all(&mut connection, &[insert, insert, "INSERT INTO t (id) VALUES (2)"]).expect("committed");
        assert_eq!(rows(&connection), 2);
    }

    #[test]
    fn a_failed_commit_is_a_lost_group_and_the_next_one_succeeds() {
        let mut connection = table();
        let good = "INSERT INTO t (id) VALUES (1)";
        let lost = commit_all(&mut connection, &[good, "INSERT INTO t (other) VALUES (99)"]);
        assert!(matches!(lost, Err(GroupError::Lost(_))), "{lost:?}");
        assert_eq!(rows(&connection), 0);
        commit_all(&mut connection, &[good]).expect("committed");
        assert_eq!(rows(&connection), 1);
    }

    #[test]
    fn a_transaction_that_is_gone_takes_its_group_along() {
        let mut connection = table();
        let insert = "INSERT INTO t DEFAULT VALUES";
        let lost = commit_all(&mut connection, &[insert, "ROLLBACK", insert]);
        assert!(matches!(lost, Err(GroupError::Lost(_))), "{lost:?}");
        assert_eq!(rows(&connection), 0);
    }

    #[test]
    fn only_a_group_without_anything_durable_is_not_synced() {
        let mut connection = table();
        let synchronous = |connection: &Connection| -> i64 {
            connection.query_row("PRAGMA synchronous", [], |row| row.get(0)).expect("an answer")
        };
        fn write(connection: &Connection) -> rusqlite::Result<usize> {
            connection.execute("INSERT INTO t DEFAULT VALUES", [])
        }
        let note = || Box::new(Write::new(write).0.not_durable()) as Box<dyn Work>;
        let account = || Box::new(Write::new(write).0) as Box<dyn Work>;
        let (normal, full) = (1, 2);
        for (mut group, expected) in [
            (vec![note(), note()], normal),
            (vec![account()], full),
            (vec![note()], normal),
            (vec![note(), account(), note()], full),
        ] {
            commit(&mut connection, &mut group, &Steps::none()).expect("committed");
            assert_eq!(synchronous(&connection), expected);
        }
        assert_eq!(rows(&connection), 7);
    }

    #[test]
    fn a_full_disk_heals() {
        let mut connection = table();
        connection.execute_batch("PRAGMA max_page_count = 40").expect("a small disk");
        let insert = "INSERT INTO t DEFAULT VALUES";
        // Whether SQLite takes back the statement or everything, what is said and what is there agree.
        let outcome = commit_all(&mut connection, &[insert; 5]);
        assert_eq!(rows(&connection), if outcome.is_ok() { 1 } else { 0 });
        connection.execute_batch("PRAGMA max_page_count = 4000").expect("a larger disk");
        let before = rows(&connection);
        commit_all(&mut connection, &[insert; 5]).expect("committed");
        assert_eq!(rows(&connection), before + 5);
    }
}
