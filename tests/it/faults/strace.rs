//! Every success is told after the disk has it, seen in the system calls of the built program.
//!
//! The judge of a trace wants, before a reply with a success and somebody's address goes to a socket: a write of that
//! address to the database's log, and after it a sync of the log that has returned.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rustix::process::{Signal, kill_process};
use tokio_util::sync::CancellationToken;

use super::load::{Load, email};
use super::server::{Faulty, Orders};
use crate::harness::database::Database;
use crate::harness::folder::Folder;
use crate::harness::process::Vestibule;
use crate::harness::strace::{first_process, is_wanted, watching};

const SIGN_UPS: usize = 24;

/// The program in front of a command that writes down what it asks of the system.
fn tracing(trace: &Path) -> Vec<String> {
    watching("execve,pwrite64,pwritev,fsync,fdatasync,write,writev,sendto,sendmsg", trace)
}

#[tokio::test(flavor = "multi_thread")]
async fn f2_every_success_is_told_after_the_sync_of_its_row() {
    success_comes_after_the_sync(&[]).await;
}

/// Shared limits are written without a sync, by the same thread and into the same log.
#[tokio::test(flavor = "multi_thread")]
async fn f2_every_success_is_told_after_the_sync_also_with_shared_limits_and_a_record() {
    success_comes_after_the_sync(&["--set", "rates.shared=true", "--set", "audit.store=true"]).await;
}

async fn success_comes_after_the_sync(more: &[&str]) {
    if !is_wanted() {
        return;
    }
    let (database, folder, load) = (Database::sqlite(), Folder::new(), Load::new());
    let trace = folder.path().join("trace");
    let arguments = ["--contract", "knex", "--set", "passwords.deadline=100s"];
    let server = Vestibule::serve(&database).with(&arguments).with(more).under(&tracing(&trace)).start();
    load.run(server.address, 8, SIGN_UPS).await;
    let traced = first_process(&trace);
    kill_process(traced, Signal::TERM).expect("the traced process is there");
    assert_eq!(server.ended().0.code, Some(0));
    let verdict = Trace::read(&trace).judge();
    assert!(verdict.told >= SIGN_UPS, "{verdict:?}");
    assert_eq!(verdict.too_early, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn control_f2_a_success_before_the_sync_is_seen() {
    if !is_wanted() {
        return;
    }
    let (database, folder, load) = (Database::sqlite(), Folder::new(), Load::new());
    let trace = folder.path().join("trace");
    let server = Faulty::start(Orders::on(&database.url()).early().command_under(&tracing(&trace)));
    let clients = load.clients(server.address, 8, &CancellationToken::new());
    load.more_answers(SIGN_UPS).await;
    kill_process(first_process(&trace), Signal::KILL).expect("the traced process is there");
    clients.join_all().await;
    server.ended().await;
    let verdict = Trace::read(&trace).judge();
    assert!(verdict.told >= SIGN_UPS && !verdict.too_early.is_empty(), "{verdict:?}");
}

/// A call to the system, in the order in which calls begin and end.
enum Event {
    /// A write, as it begins: where to, and what.
    Write {
        to: String,
        bytes: String,
    },
    SyncBegins {
        thread: String,
        of: String,
    },
    SyncEnds {
        thread: String,
    },
}

struct Trace(Vec<Event>);

#[derive(Debug, Default)]
struct Verdict {
    told: usize,
    too_early: Vec<String>,
}

impl Trace {
    fn read(path: &PathBuf) -> Trace {
        let text = String::from_utf8_lossy(&std::fs::read(path).expect("a trace")).into_owned();
        Trace(text.lines().flat_map(Trace::events).collect())
    }

    /// `PID call(FD<what>, ..) = RESULT`; in two lines, the first ending in `<unfinished ...>`, when another thread's
    /// call comes between.
    fn events(line: &str) -> Vec<Event> {
        let Some((thread, call)) = line.split_once(char::is_whitespace) else { return Vec::new() };
        let (thread, call) = (thread.to_owned(), call.trim_start());
        if call.starts_with("<... fsync resumed>") || call.starts_with("<... fdatasync resumed>") {
            return if call.ends_with("= 0") { vec![Event::SyncEnds { thread }] } else { Vec::new() };
        }
        let Some((name, arguments)) = call.split_once('(') else { return Vec::new() };
        let to = arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
        let to = to.map_or_else(String::new, |(to, _)| to.to_owned());
        match name {
            "fsync" | "fdatasync" => {
                let mut events = vec![Event::SyncBegins { thread: thread.clone(), of: to }];
                if call.ends_with("= 0") {
                    events.push(Event::SyncEnds { thread });
                }
                events
            }
            "write" | "writev" | "sendto" | "sendmsg" | "pwrite64" | "pwritev" => {
                vec![Event::Write { to, bytes: arguments.to_owned() }]
            }
            _ => Vec::new(),
        }
    }

    fn judge(&self) -> Verdict {
        let mut verdict = Verdict::default();
        let (mut written, mut synced) = (HashMap::<String, usize>::new(), 0);
        let mut begun = HashMap::<&str, usize>::new();
        for (moment, event) in self.0.iter().enumerate() {
            match event {
                Event::Write { to, bytes } if to.ends_with("-wal") => {
                    for email in emails(bytes) {
                        written.entry(email).or_insert(moment);
                    }
                }
                Event::Write { to, bytes } if to.starts_with("socket:") || to.starts_with("TCP") => {
                    if !bytes.contains("HTTP/1.1 200 ") {
                        continue;
                    }
                    for email in emails(bytes) {
                        verdict.told += 1;
                        if written.get(&email).is_none_or(|row| *row >= synced) {
                            verdict.too_early.push(email);
                        }
                    }
                }
                Event::SyncBegins { thread, of } if of.ends_with("-wal") => {
                    begun.insert(thread, moment);
                }
                // What was written before the sync began is on the disk when it has returned.
                Event::SyncEnds { thread } => {
                    synced = begun.remove(thread.as_str()).unwrap_or(synced).max(synced)
                }
                _ => {}
            }
        }
        verdict
    }
}

/// The addresses of the load in a text.
fn emails(text: &str) -> Vec<String> {
    let domain = email(0).split_once('@').map(|(_, domain)| format!("@{domain}")).expect("an address");
    let before = |(at, _): (usize, &str)| {
        let digits = text[..at].bytes().rev().take_while(u8::is_ascii_digit).count();
        let number = text[at - digits..at].parse().ok()?;
        text[..at - digits].ends_with('f').then(|| email(number))
    };
    let mut found: Vec<String> = text.match_indices(&domain).filter_map(before).collect();
    found.dedup();
    found
}
