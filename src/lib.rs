//! Vestibule, a self-hosted sign-up server. This file is the map: the rooms in reading order, each importing only
//! from the rooms above it.
#![forbid(unsafe_code)]

pub mod clock;
pub mod user;

pub mod contract;

pub mod config;

pub mod password;
pub mod store;
pub mod token;

pub mod cli;
