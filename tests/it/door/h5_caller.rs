//! Whose request it is: what a client writes about its address counts only when a listed proxy says so.

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use crate::harness::client::{Client, get};
use crate::harness::database::Database;
use crate::harness::process::{Server, Vestibule};

fn serve(arguments: &[&str]) -> Server {
    Vestibule::serve(&Database::sqlite()).with(&["--contract", "knex"]).with(arguments).start()
}

fn asking(headers: &str) -> Vec<u8> {
    format!("POST /nowhere HTTP/1.1\r\nhost: a\r\n{headers}content-length: 0\r\n\r\n").into_bytes()
}

/// The networks in the log, one for each request.
fn networks(server: Server) -> Vec<Value> {
    let log = server.stop().0.err;
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == "request").map(|line| line["network"].clone()).collect()
}

const CLAIMS: [&str; 5] = [
    "x-forwarded-for: 198.51.100.1\r\nforwarded: for=198.51.100.2\r\n",
    "x-forwarded-for: 203.0.113.1, 198.51.100.1\r\n",
    "x-forwarded-for: 203.0.113.1\r\nx-forwarded-for: 2001:db8:1:2:3::4, 127.0.0.2\r\n",
    "x-forwarded-for: 198.51.100.1, nonsense\r\n",
    "x-real-ip: 198.51.100.1\r\n",
];

async fn claimed(server: &Server) {
    for claim in CLAIMS {
        assert_eq!(server.connect().await.ask(&asking(claim)).await.status, 404);
    }
}

#[tokio::test]
async fn h5_a_client_that_is_no_proxy_is_not_believed() {
    let server = serve(&["--set", "trusted_proxies=10.0.0.0/8"]);
    claimed(&server).await;
    assert_eq!(networks(server), ["127.0.0.1"; 5]);
}

#[tokio::test]
async fn h5_a_listed_proxy_is_believed_about_its_own_client_only() {
    let server = serve(&["--set", "trusted_proxies=127.0.0.0/8"]);
    claimed(&server).await;
    let told = ["198.51.100.1", "198.51.100.1", "2001:db8:1:2::/64", "127.0.0.1", "127.0.0.1"];
    assert_eq!(networks(server), told);
    let server = serve(&["--set", "trusted_proxies=127.0.0.0/8", "--set", "proxy_header=forwarded"]);
    claimed(&server).await;
    assert_eq!(networks(server)[..2], ["198.51.100.2", "127.0.0.1"]);
}

fn introduced(source: [u8; 4]) -> Vec<u8> {
    let addresses = [&source[..], &[127, 0, 0, 1, 0x12, 0x34, 0, 80]].concat();
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", &addresses[..]].concat()
}

#[tokio::test]
async fn h5_the_proxy_protocol_names_the_client() {
    let server = serve(&["--set", "trusted_proxies=127.0.0.1,198.51.100.7", "--set", "proxy_protocol=true"]);
    let mut client = server.connect().await;
    client.send(&introduced([198, 51, 100, 9])).await;
    assert_eq!(client.ask(&asking("x-forwarded-for: 1.1.1.1\r\n")).await.status, 404);
    let mut behind = server.connect().await;
    behind.send(&introduced([198, 51, 100, 7])).await;
    assert_eq!(behind.ask(&asking("x-forwarded-for: 198.51.100.8\r\n")).await.status, 404);
    // Whoever does not introduce a client is not served.
    for bare in [get("/healthz"), b"PROXY TCP4 1.1.1.1 1.1.1.1 1 2\r\nGET / HTTP/1.1\r\n\r\n".to_vec()] {
        let mut client = server.connect().await;
        client.send(&bare).await;
        assert!(client.try_reply().await.is_err());
    }
    assert_eq!(networks(server), ["198.51.100.9", "198.51.100.8"]);
}

#[tokio::test]
async fn h1_one_client_behind_a_proxy_cannot_take_the_places_of_others() {
    // A sixteenth of what is free is one place.
    let server = serve(&[
        "--set",
        "trusted_proxies=127.0.0.1",
        "--set",
        "proxy_protocol=true",
        "--set",
        "limits.connections=24",
    ]);
    let mut open = Vec::new();
    for (source, status) in [(9, 200), (9, 503), (10, 200), (9, 503), (10, 503), (11, 200)] {
        let mut client = server.connect().await;
        client.send(&introduced([198, 51, 100, source])).await;
        assert_eq!(client.ask(&get("/healthz")).await.status, status, "{source}");
        open.push(client);
    }
    // Of those that the proxy makes for itself there may be many, and who leaves makes room for his next one.
    for _ in 0..3 {
        let mut client = server.connect().await;
        client.send(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").await;
        assert_eq!(client.ask(&get("/healthz")).await.status, 200);
        open.push(client);
    }
    drop(open.remove(0));
    loop {
        let mut client = server.connect().await;
        client.send(&introduced([198, 51, 100, 9])).await;
        match client.ask(&get("/healthz")).await.status {
            200 => break,
            status => assert_eq!(status, 503, "until the server has seen the end of the first"),
        }
    }
}

#[tokio::test]
async fn h5_a_stranger_cannot_introduce_anybody() {
    let server = serve(&["--set", "trusted_proxies=10.0.0.1", "--set", "proxy_protocol=true"]);
    let mut stream = tokio::net::TcpStream::connect(server.address).await.expect("the server listens");
    // It may close before all of this is written.
    let _ = stream.write_all(&[introduced([10, 0, 0, 1]), get("/healthz")].concat()).await;
    drop(stream);
    assert!(Client::connect(server.address).await.try_reply().await.is_err(), "closed without a word");
    assert!(networks(server).is_empty());
}

#[tokio::test]
async fn h5_a_silent_proxy_is_cut() {
    let server = serve(&[
        "--set",
        "trusted_proxies=127.0.0.1",
        "--set",
        "proxy_protocol=true",
        "--set",
        "limits.header_timeout=50ms",
    ]);
    let mut client = server.connect().await;
    client.send(&introduced([198, 51, 100, 9])[..20]).await;
    assert!(client.try_reply().await.is_err());
}

#[test]
fn h5_proxies_are_checked_at_start() {
    let run = Vestibule::serve(&Database::sqlite())
        .with(&["--config", "my.toml", "--set", "proxy_protocol=true"])
        .file("my.toml", "trusted_proxies = [\"10.0.0.0/8\", \"10.0.0.1/8\", \"proxy.example\"]\nproxy_header = \"forward\"");
    let told = run.run().err;
    for text in [
        "item 2 of `trusted_proxies` is \"10.0.0.1/8\", which has bits behind its prefix; the network is 10.0.0.0/8",
        "item 3 of `trusted_proxies` is \"proxy.example\", which is not an IP address",
        "--> my.toml:1:34",
        "`proxy_header` must be one of `x-forwarded-for`, `forwarded`",
        "`proxy_protocol` lets nobody in, because no proxy is trusted",
        "--> flag --set proxy_protocol",
    ] {
        assert!(told.contains(text), "{text:?} is not in:\n{told}");
    }
}

#[test]
fn h5_an_open_listener_without_proxy_or_tls_is_warned_about() {
    let log = |arguments: &[&str]| {
        let server = Vestibule::new(&["serve", "--listen", "0.0.0.0:0"]).with(arguments);
        server.on(&Database::sqlite()).start().stop().0.err
    };
    let warning = "reachable from other machines without encryption";
    assert!(log(&[]).contains(warning));
    assert!(!log(&["--set", "trusted_proxies=10.0.0.0/8"]).contains(warning));
    // Who believes everybody limits nobody.
    let everybody = "trusted_proxies names all addresses";
    assert!(!log(&["--set", "trusted_proxies=10.0.0.0/8"]).contains(everybody));
    for all in ["0.0.0.0/0", "::/0", "10.0.0.0/8,0.0.0.0/0"] {
        assert!(log(&["--set", &format!("trusted_proxies={all}")]).contains(everybody), "{all}");
    }
}

/// All who come through a proxy on this machine come from this machine, which is no network to be limited.
#[test]
fn h5_who_does_not_declare_a_proxy_on_this_machine_is_told_what_to_do() {
    let log = |listen: &str, arguments: &[&str]| {
        let server = Vestibule::new(&["serve", "--listen", listen]).with(arguments);
        server.on(&Database::sqlite()).start().stop().0.err
    };
    let note = |limits| {
        format!(
            "requests from this machine itself are not limited by network ({limits}): declare a proxy here in trusted_proxies"
        )
    };
    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        for (set, limits) in [
            ("rates.total=off", "rates.network, rates.site"),
            ("rates.network=off", "rates.site"),
            ("rates.site=off", "rates.network"),
        ] {
            assert_eq!(log(listen, &["--set", set]).matches(&note(limits)).count(), 1, "{listen} {set}");
        }
        for needless in [
            ["--set", "trusted_proxies=127.0.0.1"].as_slice(),
            &["--set", "rates.network=off", "--set", "rates.site=off"],
        ] {
            assert!(!log(listen, needless).contains("not limited by network"), "{listen} {needless:?}");
        }
    }
}
