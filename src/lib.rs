//! Vestibule, a self-hosted sign-up server: one binary that owns `POST /users` in whatever dialect its clients speak.
//!
//! This file is the map: the rooms in reading order. Each imports only from the rooms above it (those without a blank
//! line between them do not import each other), and a test says so. `ARCHITECTURE.md` tells what each room is for.
#![forbid(unsafe_code)]

pub mod clock;
pub mod network;
pub mod spelling;
pub mod steps;
pub mod terminal;

pub mod user;

pub mod names;

pub mod breach;
pub mod password;
pub mod proof;

pub mod contract;

pub mod config;

pub mod store;
pub mod token;

pub mod idempotency;
pub mod throttle;

pub mod audit;

pub mod metrics;

pub mod app;

pub mod register;
pub mod verify;

pub mod http;

pub mod acme;

pub mod start;

pub mod prove;

pub mod cli;
