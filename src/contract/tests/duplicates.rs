//! When an answer tells that a value is in use, and when it hides that.

use super::*;

fn reveals(created: &str, taken: &str, unique: &str) -> bool {
    let mine = if unique.is_empty() { "" } else { "[register.mine]\nstatus = 202\nbody = \"\"" };
    let text = format!(
        r#"
        [register]
        path = "/users"
        fields = [
          {{ name = "email", rules = [{{ required = true }}, {{ unique = true{unique} }}] }},
          {{ name = "password", rules = [{{ required = true, min_length = 8 }}] }},
        ]
        [register.created]
        {created}
        [register.taken]
        {taken}
        {mine}
        [register.default]
        body = "{{}}"
        "#
    );
    loaded(&text).register.reveals_duplicates()
}

#[test]
fn whatever_differs_reveals_a_duplicate_and_nothing_else_does() {
    const SAME: &str = r#"status = 202
        body = '{ "message": "Look into your mail." }'"#;
    assert!(!reveals(SAME, SAME, ""));
    // What a message says is told only where it is written.
    assert!(!reveals(SAME, &format!("{SAME}\nmessage = \"Taken.\""), ""));
    let said = r#"status = 202
        body = '{ "message": "{{ message }}" }'"#;
    let (hello, other) = (format!("{said}\nmessage = \"Hello.\""), format!("{said}\nmessage = \"Taken.\""));
    assert!(!reveals(&hello, &hello, ""));
    assert!(reveals(&hello, &other, ""), "its message");
    assert!(reveals(SAME, &SAME.replace("202", "200"), ""), "its status");
    assert!(reveals(SAME, &SAME.replace("Look", "look"), ""), "its body");
    assert!(reveals(&format!("{SAME}\nheaders = {{ X-Made = \"yes\" }}"), SAME, ""), "a header");
    let outcome = r#"status = 202
        body = '{ "code": "{{ outcome }}" }'"#;
    assert!(reveals(outcome, outcome, ""), "the same text, and another value in it");
    assert!(reveals(SAME, SAME, r#", outcome = "mine""#), "another answer altogether");
}

#[test]
fn a_contract_that_hides_duplicates_and_asks_for_good_passwords_concedes_nothing() {
    let text = |password: &str, taken: &str| {
        format!(
            r#"
            [register]
            path = "/users"
            fields = [
              {{ name = "email", rules = [{{ required = true }}, {{ unique = true }}] }},
              {{ name = "password", rules = [{{ required = true }}, {password}] }},
            ]
            [register.created]
            status = 202
            body = '{{}}'
            [register.taken]
            status = {taken}
            body = '{{}}'
            [register.default]
            body = "{{}}"
            "#
        )
    };
    let conceded = |password: &str, taken: &str| loaded(&text(password, taken)).concessions();
    assert_eq!(conceded("{ min_length = 15 }, { uncommon = true }", "202"), Vec::<String>::new());
    assert_eq!(
        conceded("{ min_length = 14 }, { uncommon = true }", "202"),
        ["passwords of 14 characters are taken"]
    );
    assert_eq!(conceded("{ uncommon = true }", "202"), ["no shortest password is asked for"]);
    let sometimes = "{ min_length = 15, if = \"input.email\" }, { uncommon = true }";
    assert_eq!(conceded(sometimes, "202"), ["no shortest password is asked for"]);
    assert_eq!(conceded("{ min_length = 15 }", "202"), ["common passwords are taken"]);
    let told = ["whoever asks is told who has an account"];
    assert_eq!(conceded("{ min_length = 15 }, { uncommon = true }", "409"), told);
}
