//! What a client did and was told, on the disk before it goes on.
//!
//! Each line is `sent NUMBER` or `told NUMBER STATUS ID`, the id being that of the account, or `-`. A line counts only when it is synced: `sent` before the request
//! leaves, `told` after the reply has come.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use tokio::sync::{mpsc, oneshot};

use crate::harness::folder::Folder;

type Entry = (String, oneshot::Sender<()>);

/// An open journal. Clients share it; those that write at the same time share a sync.
pub(super) struct Journal {
    folder: Folder,
    lines: mpsc::UnboundedSender<Entry>,
}

impl Journal {
    pub(super) fn new() -> Journal {
        let folder = Folder::new();
        let file = File::create_new(path(folder.path())).expect("a new journal");
        let (lines, waiting) = mpsc::unbounded_channel();
        std::thread::spawn(move || write(file, waiting));
        Journal { folder, lines }
    }

    pub(super) async fn sent(&self, number: usize) {
        self.line(format!("sent {number}\n")).await;
    }

    /// `id` is the account's, when the answer tells it.
    pub(super) async fn told(&self, number: usize, status: u16, id: Option<i64>) {
        let id = id.map_or_else(|| "-".to_owned(), |id| id.to_string());
        self.line(format!("told {number} {status} {id}\n")).await;
    }

    async fn line(&self, line: String) {
        let (done, synced) = oneshot::channel();
        self.lines.send((line, done)).expect("the journal is open");
        synced.await.expect("the journal can be written");
    }

    /// Who was sent and never told anything.
    pub(super) fn unanswered(&self) -> Vec<usize> {
        let lines = self.read();
        let (mut sent, told): (Vec<Line>, Vec<Line>) =
            lines.into_iter().partition(|line| line.told.is_none());
        sent.retain(|sent| !told.iter().any(|told| told.number == sent.number));
        sent.into_iter().map(|line| line.number).collect()
    }

    /// What stands in it, read from the disk.
    pub(super) fn read(&self) -> Vec<Line> {
        let text = std::fs::read_to_string(path(self.folder.path())).expect("the journal can be read");
        text.lines().map(Line::parse).collect()
    }
}

/// A line of the journal: a sign-up was sent, or (with a status) answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) number: usize,
    /// The status, and the account's id as text.
    pub(super) told: Option<(u16, String)>,
}

impl Line {
    fn parse(text: &str) -> Line {
        let words: Vec<&str> = text.split(' ').collect();
        let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("not a line of a journal: {text}"));
        match words[..] {
            ["sent", sent] => Line { number: number(sent), told: None },
            ["told", told, status, id] => {
                let status = status.parse().expect("a status");
                Line { number: number(told), told: Some((status, id.to_owned())) }
            }
            _ => panic!("not a line of a journal: {text}"),
        }
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("journal")
}

fn write(mut file: File, mut waiting: mpsc::UnboundedReceiver<Entry>) {
    while let Some(first) = waiting.blocking_recv() {
        let mut group = vec![first];
        while let Ok(next) = waiting.try_recv() {
            group.push(next);
        }
        let text: String = group.iter().map(|(line, _)| line.as_str()).collect();
        file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).expect("the journal can be written");
        for (_, done) in group {
            // Whoever waited may be gone.
            let _ = done.send(());
        }
    }
}
