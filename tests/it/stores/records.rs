//! What is registered reads back, and what is refused leaves nothing.
//! Every test here runs once on SQLite and once on PostgreSQL.

use std::collections::BTreeSet;
use std::convert::Infallible;

use serde_json::json;
use vestibule::store::{PUBLIC_ID, RegisterError, Sealed, StoreError, Who};

use super::accounts::{PHC, account, assert_whole, fresh_id, full_account, ids, key, register, taken, token};
use crate::harness::database::Database;

on_both! {
    what_is_registered_reads_back
    absent_values_read_back_as_absent
    hostile_strings_read_back_byte_for_byte
    ids_count_up_from_one
    all_colliding_keys_are_told
    a_taken_public_id_is_told
    a_refused_seal_leaves_nothing
    a_panicking_seal_leaves_nothing_and_harms_nobody
    what_does_not_fit_is_refused_whole
    errors_quote_no_row
    pages_follow_each_other
    everybody_is_found_by_everything
}

async fn what_is_registered_reads_back(database: &Database) {
    let store = database.open().await;
    let new = full_account();
    let seal = |id| {
        Ok::<_, Infallible>(Sealed {
            answer: format!("reply {id}"),
            tokens: vec![token("d1"), token("d2")],
            kept: Vec::new(),
        })
    };
    assert_eq!(store.register(new.clone(), seal).await.unwrap(), "reply 1");

    let user = store.find(&Who::Id(1)).await.unwrap().expect("the user is there");
    assert_eq!(
        (user.id, user.public_id, user.version, user.status.as_str()),
        (1, new.public_id, 1, "active")
    );
    assert_eq!((user.email.as_deref(), user.username.as_deref()), (Some("Ada@Example.com"), Some("ada")));
    assert_eq!((&*user.name, &*user.first_name, &*user.last_name), ("Ada Lovelace", "Ada", "Lovelace"));
    assert_eq!(serde_json::to_string(&user.extra).unwrap(), serde_json::to_string(&new.user.extra).unwrap());
    assert_eq!((user.created_at, user.updated_at), (new.created_at, new.created_at));
    let mut keys = new.keys;
    keys.sort();
    assert_eq!(user.keys, keys);
    assert_eq!(store.password_of(1).await.unwrap().as_deref(), Some(PHC));
    assert_eq!(
        database.number("SELECT count(*) FROM tokens WHERE user_id = 1 AND name = 'session'").await,
        2
    );
    let event = "SELECT count(*) FROM events WHERE kind = 'user.registered' AND user_id = 1";
    assert_eq!(database.number(event).await, 1);
}

async fn absent_values_read_back_as_absent(database: &Database) {
    let store = database.open().await;
    let mut new = account("");
    new.keys.clear();
    register(&store, new).await.unwrap();
    let user = store.find(&Who::Id(1)).await.unwrap().expect("the user is there");
    assert_eq!(
        (user.email, user.username, user.extra, user.keys),
        (None, None, serde_json::Map::new(), vec![])
    );
    assert!(store.find(&Who::Id(2)).await.unwrap().is_none());
    assert!(store.password_of(2).await.unwrap().is_none());
}

async fn hostile_strings_read_back_byte_for_byte(database: &Database) {
    let store = database.open().await;
    let hostile = [
        "'; DROP TABLE users; --",
        "\\'\"`$1 ?1 %s {{ x }}",
        "line\r\nbreak\ttab",
        "\u{1b}[31mred\u{1b}[0m",
        "\u{7f}\u{1}",
        "e\u{301} \u{e9}",
        "\u{202e}right to left",
        "\u{feff}BOM \u{200b}\u{ad}",
        "👩‍👩‍👧‍👦🏳️‍🌈",
        "\u{10ffff}\u{fffd}",
        " spaces ",
        "</script><!-- -->",
        "NULL",
        "true",
        "0x10",
        "1e400",
        "{\"a\":1}",
        "İıſK",
        "𐀀𝒳",
    ];
    for text in hostile {
        let mut new = account(text);
        new.user.username = text.to_owned();
        new.user.name = text.to_owned();
        new.user.extra = json!({ text: [text, { "deep": text }] }).as_object().unwrap().clone();
        new.keys = vec![key("email", text), key(text, text)];
        let extra = new.user.extra.clone();
        let id = register(&store, new).await.unwrap();
        let user = store.find(&Who::Key(key(text, text))).await.unwrap().expect(text);
        assert_eq!((user.id, user.email.as_deref(), user.username.as_deref()), (id, Some(text), Some(text)));
        assert_eq!((user.name.as_str(), &user.extra), (text, &extra));
        assert_eq!(
            user.keys.iter().collect::<BTreeSet<_>>(),
            BTreeSet::from([&key("email", text), &key(text, text)])
        );
    }
}

async fn ids_count_up_from_one(database: &Database) {
    let store = database.open().await;
    for id in 1..=5 {
        assert_eq!(register(&store, account(&format!("u{id}@example.com"))).await.unwrap(), id);
    }
}

async fn all_colliding_keys_are_told(database: &Database) {
    let store = database.open().await;
    register(&store, account("a@example.com")).await.unwrap();
    let mut bob = account("b@example.com");
    bob.keys.push(key("username", "bob"));
    register(&store, bob).await.unwrap();

    let mut new = account("a@example.com");
    new.keys = vec![key("username", "bob"), key("id", "USR1"), key("email", "a@example.com")];
    // The same values under other kinds, and other cases of them, are other claims.
    new.keys.extend([key("username", "a@example.com"), key("email", "A@example.com")]);
    let taken = taken(register(&store, new.clone()).await);
    assert_eq!(taken, [key("email", "a@example.com"), key("username", "bob")]);
    assert_eq!(
        store.collisions(&new.keys).await.unwrap(),
        [key("username", "bob"), key("email", "a@example.com")]
    );
    assert!(store.collisions(&[]).await.unwrap().is_empty());
    assert_whole(database, 2, 3).await;
}

async fn a_taken_public_id_is_told(database: &Database) {
    let store = database.open().await;
    let first = account("a@example.com");
    register(&store, first.clone()).await.unwrap();
    let mut second = account("b@example.com");
    second.public_id = first.public_id;
    let both = taken(register(&store, second.clone()).await);
    assert_eq!(both, [key(PUBLIC_ID, &first.public_id.to_string())]);
    second.public_id = fresh_id();
    register(&store, second).await.unwrap();
    assert_whole(database, 2, 2).await;
}

async fn a_refused_seal_leaves_nothing(database: &Database) {
    let store = database.open().await;
    let refused = store.register(account("a@example.com"), Err::<Sealed<()>, _>).await;
    assert!(matches!(refused, Err(RegisterError::Seal(1))), "{refused:?}");
    assert_whole(database, 0, 0).await;
    register(&store, account("a@example.com")).await.unwrap();
    assert_whole(database, 1, 1).await;
}

async fn a_panicking_seal_leaves_nothing_and_harms_nobody(database: &Database) {
    let store = database.open().await;
    let panicking = {
        let store = store.clone();
        tokio::spawn(async move {
            let seal = |_| -> Result<Sealed<()>, Infallible> { panic!("a bug in the reply") };
            store.register(account("a@example.com"), seal).await
        })
    };
    // On PostgreSQL the panic is the task's own; on SQLite it is caught on the writer's thread.
    if let Ok(outcome) = panicking.await {
        assert!(matches!(outcome, Err(RegisterError::Unavailable(StoreError::Panicked))), "{outcome:?}");
    }
    register(&store, account("a@example.com")).await.unwrap();
    assert_whole(database, 1, 1).await;
}

async fn what_does_not_fit_is_refused_whole(database: &Database) {
    let store = database.open().await;
    let mut wide = account("a@example.com");
    // 255 code points fit, whatever they weigh; 256 do not.
    wide.user.name = "𝒳".repeat(255);
    register(&store, wide.clone()).await.unwrap();
    wide = account("b@example.com");
    wide.user.name = "x".repeat(256);
    let refused = register(&store, wide).await;
    assert!(matches!(refused, Err(RegisterError::Unavailable(StoreError::Refused(_)))), "{refused:?}");
    let mut long = account("c@example.com");
    long.keys.push(key("extra.note", &"x".repeat(2049)));
    let refused = register(&store, long).await;
    assert!(matches!(refused, Err(RegisterError::Unavailable(StoreError::Refused(_)))), "{refused:?}");
    let mut heavy = account("d@example.com");
    heavy.user.extra.insert("note".into(), "x".repeat(70_000).into());
    let refused = register(&store, heavy).await;
    assert!(matches!(refused, Err(RegisterError::Unavailable(StoreError::Refused(_)))), "{refused:?}");
    assert_whole(database, 1, 1).await;
}

async fn errors_quote_no_row(database: &Database) {
    let store = database.open().await;
    let mut new = account("canary@example.com");
    new.password = format!("{PHC}{}", "x".repeat(300));
    let mut said = format!("{:?}", register(&store, new.clone()).await.unwrap_err());
    new.password = PHC.to_owned();
    new.keys.push(key("extra.note", &"canary".repeat(400)));
    said += &format!("{:?}", register(&store, new.clone()).await.unwrap_err());
    said += &format!("{:?} {new:?} {:?}", store, token("digest-canary"));
    assert!(!said.contains("argon2id") && !said.contains("canary"), "{said}");
}

async fn pages_follow_each_other(database: &Database) {
    let store = database.open().await;
    for number in 1..=7 {
        register(&store, account(&format!("u{number}@example.com"))).await.unwrap();
    }
    let page = |after| async move { ids(&store.list(after, 3).await.unwrap()) };
    assert_eq!(page.clone()(0).await, [1, 2, 3]);
    assert_eq!(page.clone()(3).await, [4, 5, 6]);
    assert_eq!(page.clone()(6).await, [7]);
    assert!(page(7).await.is_empty());
}

async fn everybody_is_found_by_everything(database: &Database) {
    let store = database.open().await;
    register(&store, account("other@example.com")).await.unwrap();
    let new = full_account();
    let id = register(&store, new.clone()).await.unwrap();
    let user = store.find(&Who::Id(id)).await.unwrap().expect("by number");
    assert_eq!(store.find(&Who::PublicId(new.public_id)).await.unwrap().as_ref(), Some(&user));
    for key in &user.keys {
        assert_eq!(store.find(&Who::Key(key.clone())).await.unwrap().as_ref(), Some(&user));
    }
    for nobody in [Who::Id(99), Who::Id(-1), Who::PublicId(fresh_id()), Who::Key(key("email", "ada"))] {
        assert!(store.find(&nobody).await.unwrap().is_none(), "{nobody:?}");
    }
}
