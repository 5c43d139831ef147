//! What somebody pastes: JSON, or a whole HTTP message as `curl -i` prints it, or several of these between lines of
//! `---`.

use crate::contract::body::{self, Malformed, Media};
use bytes::Bytes;
use serde_json::Value as Json;

/// One pasted request or reply.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pasted {
    /// Of a request with a request line: its target, `/users?x=y`.
    pub target: Option<String>,
    /// Of a reply with a status line.
    pub status: Option<u16>,
    /// As they were pasted.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub content: Content,
}

/// A pasted body.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Content {
    /// None.
    #[default]
    Empty,
    /// JSON.
    Json(Json),
    /// A form, with or without files, as the tree that contracts read it as.
    Form(Media, Json),
    /// Anything else.
    Text(String),
}

/// Why something that was pasted cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasteError {
    /// A contract answers POST.
    #[error("this is a {0} request; a contract answers POST")]
    Method(String),
    /// A body that is neither JSON nor a form.
    #[error(
        "this request body can be read neither as JSON ({0}) nor as a form; paste the JSON, or the whole request"
    )]
    Request(String),
    /// A body whose Content-Type says JSON.
    #[error("this body is not JSON: {0}")]
    Json(String),
    /// `---` and nothing else.
    #[error("nothing was pasted")]
    Nothing,
}

impl Pasted {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The body as a tree, if it is one.
    pub(super) fn tree(&self) -> Option<&Json> {
        match &self.content {
            Content::Json(json) | Content::Form(_, json) => Some(json),
            Content::Empty | Content::Text(_) => None,
        }
    }

    pub(super) fn is_request(&self) -> bool {
        self.target.is_some()
    }
}

/// A reply, and the request that it answers when both were pasted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exchange {
    /// The request.
    pub request: Option<Pasted>,
    /// The reply.
    pub reply: Pasted,
}

/// Reads a pasted request: the first one, of several blocks.
///
/// # Errors
/// See [`PasteError`].
pub async fn request(text: &str) -> Result<Pasted, PasteError> {
    let block = blocks(text).into_iter().next().ok_or(PasteError::Nothing)?;
    let pasted = message(block).await?;
    match pasted.content {
        Content::Text(text) => form(&text).await.map(|content| Pasted { content, ..pasted }),
        _ => Ok(pasted),
    }
}

/// Reads a pasted reply: the last one, of several blocks, with the request before it.
///
/// # Errors
/// See [`PasteError`].
pub async fn exchange(text: &str) -> Result<Exchange, PasteError> {
    let mut blocks = blocks(text);
    let reply = message(blocks.pop().ok_or(PasteError::Nothing)?).await?;
    let request = match blocks.pop() {
        Some(block) => Some(message(block).await?).filter(Pasted::is_request),
        None => None,
    };
    Ok(Exchange { request, reply })
}

/// The parts between lines of `---`; lines at the top that begin with `#` are remarks.
pub(super) fn blocks(text: &str) -> Vec<&str> {
    let remarks: usize = text.split_inclusive('\n').take_while(|l| l.starts_with('#')).map(str::len).sum();
    let mut out = Vec::new();
    let (mut start, mut at) = (remarks, remarks);
    for line in text[remarks..].split_inclusive('\n') {
        if line.trim_end() == "---" {
            out.push(&text[start..at]);
            start = at + line.len();
        }
        at += line.len();
    }
    out.push(&text[start..]);
    out.retain(|block| !block.trim().is_empty());
    out
}

pub(super) async fn message(block: &str) -> Result<Pasted, PasteError> {
    let block = block.trim_start_matches(['\r', '\n']);
    let first = block.lines().next().unwrap_or_default().trim();
    let words: Vec<&str> = first.split_whitespace().collect();
    let mut pasted = Pasted::default();
    match words.as_slice() {
        [version, status, ..] if version.starts_with("HTTP/") => pasted.status = status.parse().ok(),
        [method, target, version] if version.starts_with("HTTP/") => {
            if *method != "POST" {
                return Err(PasteError::Method((*method).to_owned()));
            }
            pasted.target = Some(path_of(target));
        }
        _ => return content(block.trim(), None).await.map(|content| Pasted { content, ..pasted }),
    }
    let mut body = block.split_once('\n').map_or("", |(_, rest)| rest);
    while let Some((line, rest)) = body.split_once('\n').or(Some((body, "")).filter(|_| !body.is_empty())) {
        body = rest;
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            pasted.headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    if pasted.status.is_some_and(|s| s < 200) && !body.trim().is_empty() {
        return Box::pin(message(body)).await; // `100 Continue` comes before the reply.
    }
    let body = body.trim_end_matches(['\r', '\n']);
    pasted.content = content(body, pasted.header("content-type")).await?;
    Ok(pasted)
}

/// The path and query of a request's target, which may be a whole address.
fn path_of(target: &str) -> String {
    let rest =
        target.split_once("://").map_or(target, |(_, rest)| rest.find('/').map_or("/", |i| &rest[i..]));
    rest.to_owned()
}

async fn content(body: &str, content_type: Option<&str>) -> Result<Content, PasteError> {
    if body.is_empty() {
        return Ok(Content::Empty);
    }
    let parsed = serde_json::from_str(body);
    match (content_type.and_then(Media::of), parsed) {
        (Some(Media::Json) | None, Ok(json)) => Ok(Content::Json(json)),
        (Some(Media::Json), Err(error)) => Err(PasteError::Json(error.to_string())),
        (Some(media), _) => {
            // Editors and terminals lose the carriage returns that multipart is delimited by.
            let body = match media {
                Media::Multipart => body.replace("\r\n", "\n").replace('\n', "\r\n") + "\r\n",
                _ => body.to_owned(),
            };
            let tree = body::read(media, content_type.unwrap_or_default(), &Bytes::from(body)).await;
            tree.map(|tree| Content::Form(media, tree)).map_err(|Malformed(why)| PasteError::Request(why))
        }
        (None, Err(error)) if body.starts_with('{') => Err(PasteError::Json(error.to_string())),
        (None, Err(_)) => Ok(Content::Text(body.to_owned())),
    }
}

async fn form(text: &str) -> Result<Content, PasteError> {
    let is_form = text.contains('=') && !text.contains(char::is_whitespace);
    if !is_form {
        return Err(PasteError::Request("it does not begin with {".to_owned()));
    }
    let tree = body::read(Media::Form, "", &Bytes::from(text.to_owned())).await;
    tree.map(|tree| Content::Form(Media::Form, tree)).map_err(|Malformed(why)| PasteError::Request(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn json_and_whole_messages_are_read() {
        assert_eq!(request(" {\"a\": 1}\n").await.unwrap().content, Content::Json(json!({ "a": 1 })));
        let whole = "POST https://x.example/a?b=c HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nuser[mail]=a%40b.co\n";
        let pasted = request(whole).await.unwrap();
        assert_eq!(pasted.target.as_deref(), Some("/a?b=c"));
        assert_eq!(pasted.content, Content::Form(Media::Form, json!({ "user": { "mail": "a@b.co" } })));
        assert_eq!(request("a=b&c=d").await.unwrap().tree(), Some(&json!({ "a": "b", "c": "d" })));
        let parts = "POST / HTTP/1.1\nContent-Type: multipart/form-data; boundary=x\n\n--x\nContent-Disposition: form-data; name=\"a\"\n\nb\n--x--\n";
        assert_eq!(request(parts).await.unwrap().tree(), Some(&json!({ "a": "b" })));
    }

    #[tokio::test]
    async fn a_reply_is_the_last_block_and_its_request_the_one_before() {
        let text = "# A remark.\nPOST /u HTTP/1.1\n\n{}\n---\nHTTP/1.1 100 Continue\n\nHTTP/2 201\nX-A: b\n\n{\"id\":1}\n";
        let exchange = exchange(text).await.unwrap();
        assert_eq!(exchange.request.unwrap().target.as_deref(), Some("/u"));
        assert_eq!((exchange.reply.status, exchange.reply.header("x-a")), (Some(201), Some("b")));
        assert_eq!(exchange.reply.tree(), Some(&json!({ "id": 1 })));
        let empty = super::exchange("HTTP/1.1 204 No Content\n").await.unwrap();
        assert_eq!((empty.reply.status, empty.reply.content), (Some(204), Content::Empty));
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_refused() {
        assert_eq!(request("GET / HTTP/1.1\n").await, Err(PasteError::Method("GET".into())));
        assert!(matches!(request("{\"a\":").await, Err(PasteError::Json(_))));
        assert!(matches!(request("hello there").await, Err(PasteError::Request(_))));
        assert_eq!(request(" \n").await, Err(PasteError::Nothing));
        assert_eq!(exchange("<p>no</p>").await.unwrap().reply.content, Content::Text("<p>no</p>".into()));
    }
}
