//! When a certificate is renewed: when its authority suggests it (ARI, RFC 9773, which the front before pebble knows), and
//! otherwise by our own rule.

use jiff::{SignedDuration, Timestamp};
use vestibule::clock::Clock;

use super::{OBTAINED, ORDERING, moments, serving_but};
use crate::harness::ari::{self, Ari, Said};
use crate::harness::folder::Folder;
use crate::harness::pebble::Pebble;
use crate::harness::process::Vestibule;

const AGAIN: &str = "retry-after: 21600\r\n";

fn serving_by_ari(pebble: &Pebble, state: &Folder) -> Vestibule {
    let directory = format!("acme.directory=https://{}:{}/dir", pebble.address, ari::PORT);
    serving_but(pebble, state, &directory)
}

#[test]
fn a_window_in_the_past_renews_at_once_and_one_in_the_future_within_it() {
    let (mut pebble, state) = (Pebble::new(86_400), Folder::new());
    pebble.start();
    let ari = Ari::before(&pebble, vec![Said::window(-20, -10)]);
    let server = serving_by_ari(&pebble, &state).start();
    server.wait_for_log(OBTAINED);
    server.stop();
    assert_eq!(ari.questions(), 0, "there was no certificate to ask about");

    // It is a day from its end, and nobody but the authority thinks that it must go.
    let server = serving_by_ari(&pebble, &state).start();
    server.wait_for_log(OBTAINED);
    let log = server.stop().0.err;
    // Pebble does not know what takes the place of what, and without that it will do.
    assert!(log.contains("no order in the place of the old certificate"), "{log}");

    let now = Timestamp::from_second(Clock::system().now().as_second()).expect("a second");
    let (start, end) = (now + SignedDuration::from_secs(5), now + SignedDuration::from_secs(7));
    ari.say(Said::window(5, 7));
    let server = serving_by_ari(&pebble, &state).start();
    server.wait_for_log(OBTAINED);
    let log = server.stop().0.err;
    let ordered = moments(&log, ORDERING)[0];
    let late = SignedDuration::from_secs(100);
    assert!(start <= ordered && ordered <= end + late, "{ordered} is not from {start} to {end}\n{log}");
}

#[test]
fn a_suggestion_of_no_use_lets_no_certificate_expire() {
    const DAY: i64 = 86_400;
    let Said(_, _, past) = Said::window(-20, -10);
    let of_no_use = [
        Said("500 Internal Server Error", AGAIN, past.clone()),
        Said("200 OK", AGAIN, past[..past.len() / 2].to_owned()),
        Said("200 OK", "", past),
        Said::window(-10, -20),
        Said::window(2 * DAY, DAY),
        Said::window(300 * DAY, 301 * DAY),
        Said::window(-10, DAY),
    ];
    std::thread::scope(|scope| {
        for said in of_no_use {
            scope.spawn(|| is_renewed_by_our_own_rule(said));
        }
    });
}

fn is_renewed_by_our_own_rule(said: Said) {
    const SECONDS: i64 = 60;
    let (mut pebble, state) = (Pebble::new(u64::try_from(SECONDS).expect("a few")), Folder::new());
    pebble.start();
    let told = format!("{said:?}");
    let ari = Ari::before(&pebble, vec![said]);
    let server = serving_by_ari(&pebble, &state).start();
    server.wait_for_logs(OBTAINED, 2);
    let log = server.stop().0.err;
    assert!(ari.certificates() >= 1, "the certificate was asked about");
    let from = moments(&log, OBTAINED)[0];
    let next = moments(&log, ORDERING).into_iter().find(|ordered| *ordered > from).expect("another order");
    let age = next.duration_since(from).as_secs_f64();
    // It is due two thirds of its time after it was made, which was a second or two before it was here.
    let by_our_rule = SECONDS as f64 / 3.0..SECONDS as f64 - 2.0;
    assert!(by_our_rule.contains(&age), "{told}: it was replaced after {age} s\n{log}");
}
