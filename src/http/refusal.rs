//! Turning surplus connections away: quickly, politely, and never at the expense of those that are served.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::linger::LINGER;

/// How many refusals may be under way at once; connections above that are closed without a word.
const AT_ONCE: usize = 64;

/// The whole refusal (RFC 9110, section 15.6.4; body RFC 9457). No request was read, so no contract has a say.
const REPLY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    content-type: application/problem+json\r\n\
    content-length: 65\r\n\
    retry-after: 1\r\n\
    cache-control: no-store\r\n\
    x-content-type-options: nosniff\r\n\
    referrer-policy: no-referrer\r\n\
    connection: close\r\n\
    \r\n\
    {\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503}";

/// The desk at which connections are refused.
#[derive(Clone, Debug)]
pub(super) struct Refusals {
    at_once: Arc<Semaphore>,
    refused: Counter,
    /// Not where TLS comes first.
    aloud: bool,
}

impl Refusals {
    /// Counts in `refused`; `aloud` says whether anybody could read a refusal in HTTP.
    pub(super) fn new(refused: Counter, aloud: bool) -> Refusals {
        Refusals { at_once: Arc::new(Semaphore::new(AT_ONCE)), refused, aloud }
    }

    /// Refuses a connection in the background, or drops it when too many are being refused already.
    pub(super) fn refuse(&self, stream: TcpStream) {
        self.refused.inc();
        let permit = self.aloud.then(|| self.at_once.clone().try_acquire_owned());
        let Some(Ok(permit)) = permit else { return };
        tokio::spawn(async move {
            // Whoever does not take the refusal in time has had it.
            let _ = tokio::time::timeout(LINGER, say(stream)).await;
            drop(permit);
        });
    }
}

/// Writes the refusal and waits for the client to close, so that no reset overtakes it.
async fn say(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(REPLY).await?;
    stream.shutdown().await?;
    let mut scratch = [0; 1024];
    while stream.read(&mut scratch).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::REPLY;

    #[test]
    fn the_refusal_states_its_own_length() {
        let text = std::str::from_utf8(REPLY).expect("ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }
}
