//! The door as strangers find it, on the built program: each file is one promise, and its tests bear its name.
//!
//! H1 (slow clients, a full file table) and H2 (framing) are shown on a bare listener in `limits.rs`; here stand the
//! parts of them that need the whole program.

mod acme;
mod h1_idle;
mod h2_bodies;
mod h2_framing;
mod h2_leftovers;
mod h3_cross_site;
mod h4_headers;
mod h5_caller;
mod http2;
mod http2_abuse;
mod http2_memory;
mod readiness;
mod restarts;
mod tls;
