//! I4: a value of another type than text, and nesting without end, are refused in the contract's words.

use serde_json::{Value as Json, json};

use super::{Target, contracts, good};
use crate::harness::database::Database;

on_both! {
    i4_other_types_are_refused_in_the_contracts_words
    i4_no_depth_overflows_a_stack
}

async fn i4_other_types_are_refused_in_the_contracts_words(database: &Database) {
    let mut number = 0;
    for (name, contract) in contracts() {
        let mut target = Target::of(name, contract, database, 64 * 1024).await;
        for (field, text) in good(name, 0) {
            for wrong in [
                json!([text]),
                json!([[text]]),
                json!([]),
                json!({ "$ne": null }),
                json!({ "a": text }),
                json!({}),
                json!(7),
                json!(-0.5),
                json!(1e300),
                json!(u64::MAX),
                json!(true),
                json!(false),
                Json::Null,
            ] {
                number += 1;
                let mut person = good(name, number);
                person.insert(field.clone(), wrong.clone());
                let reply = target.send_json(&person).await;
                // What may be left out may be null; nothing else is let through.
                let optional = !matches!(field.as_str(), "email" | "username" | "password");
                let may_pass = wrong.is_null() && optional;
                let refused = (400..500).contains(&reply.status);
                assert!(refused || may_pass && reply.status < 300, "{name} {field} {wrong}: {reply:?}");
                assert!(!reply.body.contains("panicked") && !reply.body.contains("line 1"), "{reply:?}");
            }
        }
        number += 1;
        assert!(target.send_json(&good(name, number)).await.status < 300, "{name} still signs people up");
    }
}

async fn i4_no_depth_overflows_a_stack(database: &Database) {
    const DEEP: usize = 100_000;
    for (name, contract) in contracts() {
        // A limit under which this would be read, if it were read at all.
        let mut target = Target::of(name, contract, database, 4 << 20).await;
        let person = Json::Object(good(name, 1)).to_string();
        let open = person.trim_end_matches('}');
        for deep in [
            "[".repeat(DEEP),
            format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP)),
            "{\"a\":".repeat(DEEP),
            format!("{open},\"x\":{}1{}}}", "[".repeat(DEEP), "]".repeat(DEEP)),
            format!("{open},\"x\":{}1{}}}", "{\"a\":".repeat(DEEP), "}".repeat(DEEP)),
            format!("{open},\"email\":{}1{}}}", "[".repeat(DEEP), "]".repeat(DEEP)),
            format!("{{\"email\":{}1{}}}", "[".repeat(DEEP), "]".repeat(DEEP)),
        ] {
            assert_eq!(target.send("application/json", deep.as_bytes()).await.status, 400, "{name}");
        }
        if name == "every-format" {
            let form = format!("a{}=1", "[b]".repeat(DEEP));
            let parts = format!(
                "--x\r\ncontent-disposition: form-data; name=\"a{}\"\r\n\r\n1\r\n--x--\r\n",
                "[b]".repeat(DEEP)
            );
            for (media, body) in
                [("application/x-www-form-urlencoded", form), ("multipart/form-data; boundary=x", parts)]
            {
                assert_eq!(target.send(media, body.as_bytes()).await.status, 400, "{media}");
            }
        }
        assert!(target.send("application/json", person.as_bytes()).await.status < 300, "{name}");
        database.execute("DELETE FROM users").await;
    }
}
