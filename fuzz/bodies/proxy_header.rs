//! Any first bytes of a connection as a PROXY protocol header: what is one is read to its end and not a byte further.

use std::sync::OnceLock;
use tokio::runtime::{Builder, Runtime};
use vestibule::http::read_proxy_header;

pub(crate) fn run(data: &[u8]) {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| Builder::new_current_thread().build().expect("a runtime"));
    let mut rest = data;
    let Ok(source) = runtime.block_on(read_proxy_header(&mut rest)) else { return };
    let read = data.len() - rest.len();
    assert!(data.starts_with(b"\r\n\r\n\0\r\nQUIT\n"));
    assert_eq!(read, 16 + usize::from(u16::from_be_bytes([data[14], data[15]])));
    if source.is_some() {
        assert!(data[12] == 0x21 && matches!(data[13], 0x11 | 0x21) && read >= 28);
    }
}
