//! A tree of values as the body of a request; [`body`](super::body) reads it back.

use super::body::Media;
use serde_json::Value as Json;

/// A plain value as forms, queries, headers and cookies write it.
pub(crate) fn plain(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The pairs of a form: `user[email]`, `tags[]`.
pub(crate) fn pairs(tree: &Json) -> Vec<(String, String)> {
    let mut out = Vec::new();
    flatten(String::new(), tree, &mut out);
    out
}

fn flatten(key: String, value: &Json, out: &mut Vec<(String, String)>) {
    match value {
        Json::Null => {}
        Json::Object(members) => {
            for (name, value) in members {
                let key = if key.is_empty() { name.clone() } else { format!("{key}[{name}]") };
                flatten(key, value, out);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| flatten(format!("{key}[]"), item, out)),
        other => out.push((key, plain(other))),
    }
}

/// The value of `Content-Type`, and the body. No value may hold `boundary`, which stands between the parts of a multipart body.
pub(crate) fn write(media: Media, tree: &Json, boundary: &str) -> (String, String) {
    let content_type = media.content_type();
    match media {
        Media::Json => (content_type.to_owned(), tree.to_string()),
        Media::Form => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            (content_type.to_owned(), form.extend_pairs(pairs(tree)).finish())
        }
        Media::Multipart => {
            // RFC 7578; quotes in names are written as browsers write them.
            let part = |(name, value): &(String, String)| {
                let name = name.replace('"', "%22");
                format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
            };
            let parts: String = pairs(tree).iter().map(part).collect();
            (format!("{content_type}; boundary={boundary}"), format!("{parts}--{boundary}--\r\n"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::body::read;
    use proptest::prelude::*;
    use serde_json::{Map, json};

    fn text() -> impl Strategy<Value = Json> {
        "[ -~é]{1,8}".prop_map(Json::from)
    }

    fn tree() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![text(), prop::collection::vec(text(), 1..3).prop_map(Json::from)];
        let members = |value| prop::collection::hash_map("[a-z]{1,4}", value, 1..4);
        let inner = members(text().boxed()).prop_map(|m| Json::Object(m.into_iter().collect::<Map<_, _>>()));
        members(prop_oneof![leaf, inner].boxed()).prop_map(|m| Json::Object(m.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(tree in tree()) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            for media in [Media::Json, Media::Form, Media::Multipart] {
                let (content_type, body) = write(media, &tree, "----x");
                let found = runtime.block_on(read(media, &content_type, &body.into()));
                prop_assert_eq!(found.as_ref(), Ok(&tree), "{:?}", media);
            }
        }
    }

    #[test]
    fn null_is_not_written_into_forms() {
        assert_eq!(write(Media::Form, &json!({ "a": null, "b": 5, "c": true }), "").1, "b=5&c=true");
    }
}
