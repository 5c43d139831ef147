use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const PLACE: &str = "/users";

fn proofs(demand: Demand) -> Proofs {
    let lifetime = Duration::from_secs(600);
    Proofs::new(SECRET, Policy { demand, difficulty: 500, difficulty_under_load: 4000, lifetime })
}

fn clock() -> Clock {
    Clock::fixed(Timestamp::UNIX_EPOCH, 7)
}

fn now(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a time")
}

fn challenge(proofs: &Proofs, clock: &Clock) -> Json {
    serde_json::to_value(proofs.challenge(PLACE, 0.0, clock)).expect("JSON")
}

/// What the widget sends.
fn solved(challenge: &Json) -> Json {
    let salt = challenge["salt"].as_str().expect("a salt");
    let most = challenge["maxnumber"].as_u64().expect("a number");
    let number = (0..=most).find(|number| challenge["challenge"] == hex(&hash(salt, *number)).as_str());
    json!({
        "algorithm": challenge["algorithm"], "challenge": challenge["challenge"], "number": number,
        "salt": salt, "signature": challenge["signature"], "took": 12.5,
    })
}

fn written(solution: &Json) -> String {
    STANDARD.encode(solution.to_string())
}

fn check(solution: &Json, seconds: i64) -> Result<(), Refused> {
    proofs(Demand::Always).check(PLACE, &written(solution), now(seconds)).map(drop)
}

#[test]
fn a_solution_is_right_until_it_expires_and_nowhere_else() {
    let (ours, clock) = (proofs(Demand::Always), clock());
    let solution = solved(&challenge(&ours, &clock));
    assert_eq!(check(&solution, 599), Ok(()));
    assert_eq!(check(&solution, 600), Err(Refused::Expired));
    let text = written(&solution);
    assert_eq!(ours.check("/other", &text, now(0)), Err(Refused::Forged));
    let theirs = Proofs::new(b"another secret, also 32 bytes lo", ours.policy);
    assert_eq!(theirs.check(PLACE, &text, now(0)), Err(Refused::Forged));
    let again = solved(&challenge(&ours, &clock));
    let proof = |solution: &Json| ours.check(PLACE, &written(solution), now(0)).expect("it is right");
    assert_ne!(proof(&again).digest, proof(&solution).digest);
}

#[test]
fn nothing_in_it_can_be_altered() {
    let solution = solved(&challenge(&proofs(Demand::Always), &clock()));
    let (salt, number) =
        (solution["salt"].as_str().expect("a salt"), solution["number"].as_u64().expect("one"));
    let hashed = |salt: &str, number: u64| Json::from(hex(&hash(salt, number)));
    let altered = |change: &[(&str, Json)]| {
        let mut solution = solution.clone();
        change.iter().for_each(|(member, value)| solution[*member] = value.clone());
        check(&solution, 0)
    };
    let (later, easier) = (salt.replace("=600&", "=6000&"), salt.replace("=500&", "=1&"));
    assert!(later != salt && easier != salt);
    for (change, refused) in [
        (vec![("number", json!(number + 1))], Refused::Wrong),
        (vec![("number", json!(u64::MAX))], Refused::Wrong),
        (vec![("salt", json!(later))], Refused::Wrong),
        (vec![("salt", json!(easier))], Refused::Wrong),
        (vec![("salt", json!(later)), ("challenge", hashed(&later, number))], Refused::Forged),
        (
            vec![("salt", json!(easier)), ("challenge", hashed(&easier, 1)), ("number", json!(1))],
            Refused::Forged,
        ),
        (vec![("signature", json!("0".repeat(64)))], Refused::Forged),
        (vec![("signature", json!(""))], Refused::Malformed),
        (vec![("algorithm", json!("SHA-1"))], Refused::Malformed),
        (vec![("number", json!(number.to_string()))], Refused::Malformed),
        (vec![("number", json!(-1))], Refused::Malformed),
        (vec![("number", json!(1.0))], Refused::Malformed),
        (vec![("number", Json::Null)], Refused::Malformed),
        // A digit that is moved from the salt to the number makes the same text, and would make another expiry.
        (vec![("salt", json!(salt.trim_end_matches('&')))], Refused::Malformed),
        (vec![("salt", json!(format!("{salt}1&")))], Refused::Malformed),
        (vec![("salt", json!(""))], Refused::Malformed),
        (
            vec![("challenge", json!(solution["challenge"].as_str().expect("text").to_uppercase()))],
            Refused::Malformed,
        ),
    ] {
        assert_eq!(altered(&change), Err(refused), "{change:?}");
    }
}

#[test]
fn what_is_written_otherwise_is_no_solution() {
    let solution = solved(&challenge(&proofs(Demand::Always), &clock()));
    let text = solution.to_string();
    let list: Json =
        ["algorithm", "challenge", "number", "salt", "signature"].map(|m| solution[m].clone()).into();
    let long = format!("{text}{}", " ".repeat(LONGEST));
    let twice = text.replacen('{', "{\"number\":1,", 1);
    let read = |sent: &str| proofs(Demand::Always).check(PLACE, sent, now(0)).map(drop);
    assert_eq!(read(&STANDARD.encode(&text)), Ok(()));
    for bad in [list.to_string(), long, twice, text[1..].to_owned(), format!("{text}x"), String::new()] {
        assert_eq!(read(&STANDARD.encode(&bad)), Err(Refused::Malformed), "{bad}");
    }
    let base64 = STANDARD.encode(&text);
    for bad in [&text, base64.trim_end_matches('='), &base64[1..], &format!("{base64}\n")] {
        assert!(bad == base64 || read(bad) == Err(Refused::Malformed), "{bad}");
    }
}

#[test]
fn who_is_asked_and_how_hard_it_is() {
    for (demand, loads) in [
        (Demand::Never, [false, false, false]),
        (Demand::UnderLoad, [false, true, true]),
        (Demand::Always, [true, true, true]),
    ] {
        assert_eq!([0.2, 0.25, 1.0].map(|load| proofs(demand).are_demanded(|| load)), loads);
    }
    let loads = [0.0, 0.2, 0.25, 0.5, 0.75, 1.0, 9.0, f64::NAN];
    let hard = loads.map(|load| proofs(Demand::Never).difficulty(load));
    assert_eq!(hard, [500, 500, 1000, 2000, 4000, 4000, 4000, 500]);
    let asked = |load| Asked::new(Arc::new(proofs(Demand::UnderLoad)), PLACE, move || load);
    for nothing in [None, Some("")] {
        assert_eq!(asked(0.2).judge(nothing, now(0)), Ok(None));
        assert_eq!(asked(0.25).judge(nothing, now(0)), Err(Refused::Missing));
    }
    assert_eq!(asked(0.0).judge(Some("x"), now(0)), Err(Refused::Malformed), "what is sent is checked");
}

/// The rules of a contract judge it, and whoever spends it asks again.
#[test]
fn one_request_is_judged_once() {
    let (ours, clock) = (Arc::new(proofs(Demand::Always)), clock());
    let solution = written(&solved(&challenge(&ours, &clock)));
    let asked = Asked::new(ours.clone(), PLACE, || 0.0);
    let proof = asked.judge(Some(&solution), now(0)).expect("it is right").expect("a proof");
    // A second look would find it expired.
    assert_eq!(asked.judge(Some(&solution), now(600)), Ok(Some(proof)));
    assert_eq!(asked.clone().judge(Some(&solution), now(600)), Ok(Some(proof)));
    // Another request is another question.
    let other = Asked::new(ours, PLACE, || 0.0);
    assert_eq!(other.judge(Some(&solution), now(600)), Err(Refused::Expired));
    assert_eq!(other.judge(Some(&solution), now(0)), Err(Refused::Expired));
}

proptest! {
    #[test]
    fn whatever_is_sent_is_read_or_refused(sent in ".{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let ours = proofs(Demand::Always);
        for text in [sent, STANDARD.encode(bytes)] {
            prop_assert!(matches!(ours.check(PLACE, &text, now(0)), Err(Refused::Malformed)));
        }
    }

    #[test]
    fn one_other_character_is_another_text(at in 0..512_usize, other in "[A-Za-z0-9+/=]") {
        let sent = written(&solved(&challenge(&proofs(Demand::Always), &clock())));
        let at = at % sent.len();
        let damaged = format!("{}{other}{}", &sent[..at], &sent[at + 1..]);
        let read = Solution::read(&damaged);
        // The name of a member that is passed over, and the time in it, may be anything.
        if read != Solution::read(&sent) {
            prop_assert!(proofs(Demand::Always).check(PLACE, &damaged, now(0)).is_err());
        }
    }

    #[test]
    fn every_challenge_has_a_solution(seed: u64, load in 0.0..2.0_f64) {
        let (ours, clock) = (proofs(Demand::Always), Clock::fixed(Timestamp::UNIX_EPOCH, seed));
        let made = serde_json::to_value(ours.challenge(PLACE, load, &clock)).expect("JSON");
        prop_assert!(ours.check(PLACE, &written(&solved(&made)), now(0)).is_ok());
    }
}
