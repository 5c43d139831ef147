//! A new process takes over from an old one, and no client notices.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::harness::client::{Client, get, post};
use crate::harness::database::Database;
use crate::harness::process::{GUARD, Vestibule};
use crate::harness::strace::{is_wanted, slow_to_accept};

on_both! {
    f9_two_processes_on_one_port_lose_nobody
}

fn sign_up(number: usize) -> Vec<u8> {
    post("/users", &format!(r#"{{"email":"user{number}@example.com","password":"a password {number}"}}"#))
}

async fn f9_two_processes_on_one_port_lose_nobody(database: &Database) {
    const CLIENTS: usize = 8;
    let serve = |listen: &str| {
        Vestibule::new(&["serve", "--listen", listen, "--contract", "knex", "--set", "reuse_port=true"])
            .with(&["--set", "passwords.deadline=100s", "--set", "shutdown_grace=100s"])
            .env("VESTIBULE_TOKEN_SECRET", "the same for both, as they are one service")
            .on(database)
    };
    // Whoever comes between its last look for clients and its end must not be lost; so there is time for that.
    let slow = if is_wanted() { slow_to_accept() } else { Vec::new() };
    let old = serve("127.0.0.1:0").under(&slow).start();
    let address = old.address;
    let (over, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    // Each client connects anew for every request; in every other one it signs up.
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (over, next) = (over.clone(), next.clone());
            tokio::spawn(async move {
                let mut made = 0;
                while !over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let request = if number % 8 == 0 { sign_up(number) } else { get("/healthz") };
                    let mut client = Client::connect(address).await;
                    client.send(&request).await;
                    let reply = client.try_reply().await;
                    assert!(reply.as_ref().is_ok_and(|reply| reply.status == 200), "{reply:?}");
                    made += usize::from(number % 8 == 0);
                }
                made
            })
        })
        .collect();
    let ask_on = async |times| {
        let asking = async {
            while next.load(Ordering::Relaxed) < times {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(GUARD, asking).await.expect("clients that are answered");
    };
    ask_on(20 * CLIENTS).await;
    let new = serve(&address.to_string()).start();
    let (ended, _) = old.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(ended.err.contains(r#""cut":0"#), "{}", ended.err);
    let seen = next.load(Ordering::Relaxed);
    ask_on(seen + 20 * CLIENTS).await;
    over.store(true, Ordering::Relaxed);
    let mut made = 0;
    for client in clients {
        made += tokio::time::timeout(GUARD, client).await.expect("an end in time").expect("nobody was lost");
    }
    assert_eq!(database.number("SELECT count(*) FROM users").await, made as i64);
    let log = new.stop().0.err;
    assert!(log.contains(r#""message":"request""#), "the new one took over:\n{log}");
}

#[tokio::test]
async fn a_port_is_shared_only_when_asked_for() {
    let old = Vestibule::serve(&Database::sqlite()).start();
    let listen = old.address.to_string();
    let new = Vestibule::new(&["serve", "--listen", &listen, "--set", "reuse_port=true"]);
    let refused = new.on(&Database::sqlite()).run();
    assert_eq!(refused.code, Some(3), "{}", refused.err);
    assert!(refused.err.contains("is another server running there?"), "{}", refused.err);
}

#[tokio::test]
async fn a_socket_from_systemd_is_used_and_systemd_is_told() {
    // `ReusePort=yes` in the unit.
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.set_reuseport(true).expect("an option");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let listener = socket.listen(16).and_then(tokio::net::TcpListener::into_std).expect("a listener");
    let lent = listener.try_clone().expect("another handle");
    let address = listener.local_addr().expect("an address");
    // It queues clients before anybody serves.
    let mut early = Client::connect(address).await;
    early.send(&get("/healthz")).await;
    let folder = crate::harness::folder::Folder::new();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(GUARD)).expect("a timeout");
    let heard = || {
        let mut bytes = [0; 200];
        let length = manager.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let server = Vestibule::serve(&Database::sqlite())
        .env("NOTIFY_SOCKET", path.to_str().expect("UTF-8"))
        .handed(OwnedFd::from(listener))
        .start();
    assert_eq!(server.address, address);
    assert_eq!(heard(), "READY=1\n");
    assert_eq!(early.reply().await.status, 200);
    assert_eq!(server.connect().await.ask(&get("/healthz")).await.status, 200);
    let (ended, _) = tokio::task::spawn_blocking(|| server.stop()).await.expect("no panic");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert_eq!(heard(), "STOPPING=1\n");
    // Newcomers wait for the next one in the socket, which is the manager's.
    let mut next = Client::connect(address).await;
    next.send(&get("/healthz")).await;
    let server = Vestibule::serve(&Database::sqlite()).handed(OwnedFd::from(lent)).start();
    assert_eq!(next.reply().await.status, 200);
    let (ended, _) = tokio::task::spawn_blocking(|| server.stop()).await.expect("no panic");
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    manager.set_read_timeout(Some(Duration::from_millis(1))).expect("a timeout");
    assert!(manager.recv(&mut [0; 200]).is_err(), "nothing else");
}
