//! A contract may say how long a body may be; the others take what the deployment says.

use serde_json::json;

use crate::harness::client::post;
use crate::harness::database::Database;
use crate::harness::process::Vestibule;

#[tokio::test]
async fn h2_each_contract_has_its_own_longest_body() {
    let text = include_str!("../../../contracts/knex.toml");
    let with = |bytes: usize| text.replace("[register]\n", &format!("[register]\nmax_body = {bytes}\n"));
    let database = Database::sqlite();
    let server = Vestibule::serve(&database)
        .with(&["--contract", "short.toml@/short,long.toml@/long,knex@/knex"])
        .file("short.toml", &with(200))
        .file("long.toml", &with(100_000))
        .start();
    for (place, longest) in [("short", 200), ("long", 100_000), ("knex", 64 * 1024)] {
        for (length, status) in [(longest, 200), (longest + 1, 413)] {
            let email = format!("{place}-{length}@example.com");
            let body = json!({ "email": email, "password": "a long password" }).to_string();
            let body = body + &" ".repeat(length);
            let reply = server.connect().await.ask(&post(&format!("/{place}/users"), &body[..length])).await;
            assert_eq!(reply.status, status, "{place}, {length} bytes: {reply:?}");
        }
    }
}
