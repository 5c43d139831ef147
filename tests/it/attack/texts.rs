//! I5: what readers disagree about (keys that stand twice, bytes that are no text, numbers that are none) gets one
//! verdict, in every format and on both stores.

use super::{Target, contracts, every_format, good};
use crate::harness::database::Database;

on_both! {
    i5_what_readers_disagree_about_is_refused
    i5_one_verdict_in_every_format
}

async fn i5_what_readers_disagree_about_is_refused(database: &Database) {
    for (number, (name, contract)) in contracts().into_iter().enumerate() {
        let mut target = Target::of(name, contract, database, 64 * 1024).await;
        let person = serde_json::Value::Object(good(name, number)).to_string();
        let open = person.trim_end_matches('}');
        let after = |rest: &str| format!("{open},{rest}}}").into_bytes();
        let mut hostile = vec![
            after(r#""password":"Correct-1 horse""#),
            after(r#""p\u0061ssword":"Correct-1 horse""#),
            after(r#""\u0070\u0061\u0073\u0073\u0077\u006f\u0072\u0064":"x""#),
            after(r#""x":1,"x":2"#),
            after(r#""x":{"a":1,"\u0061":2}"#),
            after(r#""x":"\ud800""#),
            after(r#""x":"\udc00\ud800""#),
            after(r#""\ud83d":1"#),
            after(r#""x":1e400"#),
            after(r#""x":-1e400"#),
            after(r#""x":NaN"#),
            after(r#""x":0x10"#),
            after(r#""x":01"#),
            after("\"x\":\"a\nb\""),
            after(r#""x":"\x41""#),
            after(r#""x":1,"#),
            [b"\xef\xbb\xbf", person.as_bytes()].concat(),
            [person.as_bytes(), b"\0"].concat(),
            [person.as_bytes(), b"{}"].concat(),
            format!("/**/{person}").into_bytes(),
            person.replace('"', "'").into_bytes(),
            person.bytes().flat_map(|byte| [byte, 0]).collect(),
            [b"\xff\xfe".as_slice(), &person.bytes().flat_map(|byte| [byte, 0]).collect::<Vec<u8>>()]
                .concat(),
        ];
        for bytes in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"] {
            let mut body = open.as_bytes().to_vec();
            body.extend_from_slice(b",\"x\":\"");
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\"}");
            hostile.push(body);
        }
        for body in hostile {
            let reply = target.send("application/json", &body).await;
            assert_eq!(reply.status, 400, "{name}: {}", String::from_utf8_lossy(&body));
        }
        assert_eq!(database.number("SELECT count(*) FROM users").await, number as i64);
        // The control: the same person, written so that all readers agree.
        assert!(target.send("application/json", person.as_bytes()).await.status < 300, "{name}");
    }
}

/// The same mistakes in the three formats.
async fn i5_one_verdict_in_every_format(database: &Database) {
    let mut target = Target::of("every-format", every_format(), database, 64 * 1024).await;
    let part = |name: &str, value: &[u8]| {
        let head = format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
        [head.as_bytes(), value, b"\r\n"].concat()
    };
    let whole = |parts: &[Vec<u8>]| [parts.concat(), b"--x--\r\n".to_vec()].concat();
    let (email, password) = (part("email", b"a@example.com"), part("password", b"secret"));
    let cases: [(&str, [Vec<u8>; 3]); 4] = [
        (
            "a key twice",
            [
                br#"{"email":"a@example.com","email":"b@example.com","password":"secret"}"#.to_vec(),
                b"email=a%40example.com&email=b%40example.com&password=secret".to_vec(),
                whole(&[email.clone(), part("email", b"b@example.com"), password.clone()]),
            ],
        ),
        (
            "bytes that are no text",
            [
                b"{\"email\":\"a@example.com\",\"password\":\"secret\",\"name\":\"\xff\"}".to_vec(),
                b"email=a%40example.com&password=secret&name=%ff".to_vec(),
                whole(&[email.clone(), password.clone(), part("name", b"\xff")]),
            ],
        ),
        (
            "NUL in a name",
            [
                br#"{"email":"a@example.com","password":"secret","name":"a\u0000b"}"#.to_vec(),
                b"email=a%40example.com&password=secret&name=a%00b".to_vec(),
                whole(&[email.clone(), password.clone(), part("name", b"a\0b")]),
            ],
        ),
        (
            "NUL in a value of the contract's own",
            [
                br#"{"email":"a@example.com","password":"secret","note":"a\u0000b"}"#.to_vec(),
                b"email=a%40example.com&password=secret&note=a%00b".to_vec(),
                whole(&[email, password, part("note", b"a\0b")]),
            ],
        ),
    ];
    const MEDIA: [&str; 3] =
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"];
    for (what, bodies) in cases {
        let mut told = Vec::new();
        for (media, body) in MEDIA.iter().zip(&bodies) {
            told.push(target.send(media, body).await.status);
        }
        assert!(
            (400..500).contains(&told[0]) && told.iter().all(|status| *status == told[0]),
            "{what}: {told:?}"
        );
    }
    assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
    for (number, media) in MEDIA.iter().enumerate() {
        let fields =
            [("email".to_owned(), format!("u{number}@example.com")), ("password".into(), "secret".into())];
        let (_, body) = super::in_every_format(&fields).swap_remove(number);
        let media = media.replace("boundary=x", "boundary=edge");
        assert_eq!(target.send(&media, &body).await.status, 201, "{media}");
    }
}
